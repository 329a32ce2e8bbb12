"""Publish after publish, what has changed is put into a table: it has the rows that follow from all events at once."""

import random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from jobs.answers.event_rows.event_answer import SHOWN
from jobs.answers.outcomes import Outcomes, Then
from jobs.facts.kept_events import group_hashes
from jobs.publishing import event_plan
from jobs.publishing.event_cache import EventCache
from jobs.publishing.event_difference import CHANGE, NEW, REVISED, WITHDRAWN, Moment
from jobs.running.instants import LAST_MICROS

COLUMNS = pa.schema(
    [
        ("event_time", pa.timestamp("us", "UTC")),
        ("record_partition", pa.int32()),
        ("record_offset", pa.int64()),
        ("user", pa.string()),
        ("late", pa.bool_()),
        ("sequence", pa.int64()),
    ]
)
SECOND = 1_000_000
TOPICS = ("searches", "clicks")
CLICKED = Outcomes("searches", ("user",), (Then("clicks", "10 seconds", name="click"),))
EARLY = Outcomes("searches", ("user",), (Then("clicks", "10 seconds", name="click"),), early=True)
Event = tuple[str, int, str]
"""Topic, time in seconds, user."""
Key = tuple[int, int]


def publishes_of(dice: random.Random) -> list[tuple[list[Event], int, bool]]:
    """By publish: the events that have come since the one before, how far complete time goes on, whether it ends a run.
    Some events are before complete time.
    """
    publishes, complete = list[tuple[list[Event], int, bool]](), 0
    for _ in range(dice.randint(2, 8)):
        first = dice.choice([max(0, complete - 15), complete, complete])
        events = [
            (dice.choice(TOPICS), dice.randint(first, complete + 15), dice.choice("uuuv"))
            for _ in range(dice.randint(0, 6))
        ]
        step = dice.randint(0, 20)
        complete += step
        publishes.append((events, step, dice.random() < 0.2))
    return publishes


def table(events: list[Event], topic: str, sequence: int, first: int) -> pa.Table:
    """Those of a topic, as a batch appends them."""
    of_topic = [event for event in events if event[0] == topic]
    rows = [
        {
            "event_time": time * SECOND,
            "record_partition": 0,
            "record_offset": first + place,
            "user": user,
            "late": False,
        }
        | {"sequence": sequence}
        for place, (_, time, user) in enumerate(of_topic)
    ]
    kept = pa.Table.from_pylist(rows, COLUMNS)
    return kept.append_column("key_hash", group_hashes(kept, ("user",)))


def apply(rows: dict[Key, dict[str, Any]], changes: pa.Table) -> None:
    """Put changes into a table; each must say rightly what it does."""
    for row in changes.to_pylist():
        key, change = (row["record_partition"], row["record_offset"]), row.pop(CHANGE)
        assert (change == NEW) == (key not in rows)
        if change == REVISED:
            assert rows[key] != row
        rows[key] = row
        if change == WITHDRAWN:
            del rows[key]


@pytest.mark.parametrize("answer", [CLICKED, EARLY], ids=["when decided", "early"])
@pytest.mark.parametrize("seed", range(60))
def test_any_cut_into_publishes_gives_the_same_table(seed: int, answer: Outcomes) -> None:
    publishes = publishes_of(random.Random(seed))
    cache = EventCache(TOPICS)
    cache.fill({topic: table([], topic, 0, 0) for topic in TOPICS}, 0)
    counts, rows = dict.fromkeys(TOPICS, 0), dict[Key, dict[str, Any]]()
    before = Moment(1, 1, 0)  # rows fall due a microsecond after an event
    for number, (events, step, ends) in enumerate(publishes):
        sequence, is_last = 2 * number + 2, number == len(publishes) - 1
        for topic in TOPICS:
            appended = table(events, topic, sequence, counts[topic])
            cache.record_append(topic, appended)
            counts[topic] += len(appended)
        open_sequence = sequence + 1 if ends or is_last else before.open_sequence
        now = Moment(sequence + 1, before.complete_micros + step * SECOND, open_sequence)
        planned = event_plan.plan(answer, cache, before, now)
        for span in planned.slices if planned else ():
            assert planned
            apply(rows, event_plan.slice_changes(answer, cache, planned, span, before, now))
        before = now
    events_now = cache.read(0, LAST_MICROS, None)
    given = {topic: part.drop_columns(["sequence", "key_hash"]) for topic, part in events_now.items()}
    expected = answer.rows(given, before.complete_micros)
    assert sorted(rows.values(), key=str) == sorted(expected.drop_columns([SHOWN]).to_pylist(), key=str)
    assert pc.all(pc.or_kleene(expected[SHOWN], pc.invert(expected["final"]))).as_py() in (True, None)
