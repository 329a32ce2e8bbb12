"""Outcomes in plain Python: a walk over sorted events, anchor by anchor. And logs and answers to try it with."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BooleanType,
    DoubleType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.outcomes import Before, Outcomes, Then

EVER = 2**62
"""Complete time at which no event can be missing."""
SECOND = 1_000_000
START = datetime(1970, 1, 1, tzinfo=UTC)

Event = dict[str, Any]

_EVENT = (("event_time", TimestampType()), ("record_partition", IntegerType()), ("record_offset", LongType()))
_GROUP = (("user", StringType()), ("site", DoubleType()))
_FLAGS = {"searches": ("is_start", "is_hint"), "clicks": ("is_hit", "is_stop")}
TOPICS = {
    topic: StructType(
        [
            StructField(name, kind)
            for name, kind in (
                *(("words", StringType()), *_EVENT, *_GROUP, ("late", BooleanType())),
                *((flag, BooleanType()) for flag in flags),
            )
        ]
    )
    for topic, flags in _FLAGS.items()
}
"""Columns of events, by topic."""
KINDS = (*TOPICS, *_FLAGS["searches"], *_FLAGS["clicks"])


def tables(events: list[Event]) -> dict[str, pa.Table]:
    """The events as the answer gets them. Their event times are whole seconds."""
    return {
        topic: pa.Table.from_pylist(
            [{name: event[name] for name in columns.names} for event in events if event["topic"] == topic],
            to_arrow_schema(columns, timezone="UTC"),
        )
        for topic, columns in TOPICS.items()
    }


def instant(micros: int) -> datetime:
    """Microseconds since 1970 as a time."""
    return START + timedelta(microseconds=micros)


def micros(time: datetime) -> int:
    """The time in microseconds since 1970."""
    return (time - START) // timedelta(microseconds=1)


def place(event: Event) -> tuple:
    """Where the event lies in canonical order."""
    return event["event_time"], list(TOPICS).index(event["topic"]), event["record_partition"], event["record_offset"]


def is_such(event: Event, kind: str) -> bool:
    """Whether the event is of this kind."""
    return event["topic"] == kind if kind in TOPICS else bool(event.get(kind))


def steps(mates: list[Event], at: Event, then: tuple[Then, ...]) -> Iterator[tuple[list[Event], bool, datetime]]:
    """Each path from `at`: the events that were found, whether it is broken, the last time that may change it."""
    if not then:
        yield [], False, at["event_time"]
        return
    step, found, broken = then[0], [], False
    changes = limit = at["event_time"] + timedelta(microseconds=step.micros)
    for event in mates:
        if place(event) > place(at) and event["event_time"] <= limit:
            if is_such(event, step.event):
                found.append(event)
                if step.take == "first":
                    break
            if step.without and is_such(event, step.without):
                changes, broken = event["event_time"], True
                break
    if not found:
        yield [], broken, changes
    taken = found[-1:] if step.take == "last" else found[: step.at_most or 1]
    for event in taken:
        settled = changes if step.take == "last" else event["event_time"]
        for after, is_broken, later in steps(mates, event, then[1:]):
            yield [event, *after], is_broken, max(settled, later)


def rows(answer: Outcomes, events: list[Event], complete: int) -> list[dict[str, Any]]:
    """The rows of the answer, in order of its key."""
    ordered, made = sorted(events, key=place), []
    for anchor in (event for event in ordered if is_such(event, answer.each)):
        group = [anchor[name] for name in answer.by]
        mates = [event for event in ordered if None not in group and [event[name] for name in answer.by] == group]
        counted = [_count(mates, anchor, before) for before in answer.before]
        if all(len(found) >= before.times for found, before in zip(counted, answer.before, strict=True)):
            for path in steps(mates, anchor, answer.then):
                made.append(_row(answer, anchor, counted, path, complete))
    return sorted(made, key=lambda row: [str(row[name]) for name in answer.key])


def _count(mates: list[Event], anchor: Event, before: Before) -> list[Event]:
    found: list[Event] = []
    for event in (event for event in mates if place(event) < place(anchor)):
        if before.since and is_such(event, before.since):
            found = []
        elif is_such(event, before.event):
            found.append(event)
    return [e for e in found if e["event_time"] >= anchor["event_time"] - timedelta(microseconds=before.micros)]


def _row(
    answer: Outcomes, anchor: Event, counted: list[list[Event]], path: tuple[list[Event], bool, datetime], complete: int
) -> dict[str, Any]:
    named = {step.event for step in answer.then} | {step.without for step in answer.then} | {answer.each}
    named |= {each.event for each in answer.before} | {each.since for each in answer.before} | {"late"}
    row = {name: anchor[name] for name in TOPICS[anchor["topic"]].names if name not in named}
    for before, found in zip(answer.before, counted, strict=True):
        row |= {f"{before.prefix}_count": len(found), f"{before.prefix}_first_time": found[0]["event_time"]}
    events, broken, changes = path
    final = micros(changes) < complete
    matched, not_matched, late = answer.called
    outcome = not_matched if final else "open"
    if len(events) == len(answer.then):
        outcome = late if any(event["late"] for event in events) else matched
    elif broken:
        outcome = "broken"
    row |= {"outcome": outcome} if answer.then else {}
    row |= {"steps": len(events)} if len(answer.then) > 1 else {}
    short = {"event_time": "time", "record_partition": "partition", "record_offset": "offset"}
    for number, step in enumerate(answer.then):
        topic = step.event if step.event in TOPICS else next(t for t, flags in _FLAGS.items() if step.event in flags)
        for name in TOPICS[topic].names:
            if name not in named and name not in answer.by:
                found_event = events[number] if number < len(events) else {}
                row[f"{step.prefix}_{short.get(name, name)}"] = found_event.get(name)
    shown = final or (answer.early and outcome != "open")
    return row | {"due_time": changes + timedelta(microseconds=1), "final": final, "__shown": shown}


_SEEDS = st.integers(0, 2**16)
"""Of dice: Hypothesis itself likes small logs and first choices, where little happens."""


@st.composite
def logs(draw: st.DrawFn, late: bool = True, topics: tuple[str, ...] = tuple(TOPICS), most: int = 24) -> list[Event]:
    """Events of few groups at few times: many are equal."""
    dice, events = random.Random(draw(_SEEDS)), []
    for offset in range(dice.randint(0, most)):
        topic = dice.choice(topics)
        events.append(
            {
                "topic": topic,
                "event_time": instant(dice.randint(-3, 3) * SECOND),
                "record_partition": dice.randint(0, 1),
                "record_offset": offset,
                "user": dice.choice("aaaaab") if dice.random() < 0.9 else None,
                "site": dice.choice([0.0, 0.0, 0.0, 0.0, 0.0, -0.0, -0.0, 1.0, None]),
                "words": dice.choice(["x", "y", None]),
                "late": late and dice.random() < 0.2,
            }
            | {flag: dice.choice([True, True, False, None]) for flag in _FLAGS[topic]}
        )
    dice.shuffle(events)
    return events


@st.composite
def answers(draw: st.DrawFn, kinds: tuple[str, ...] = KINDS, every: bool = True, before: bool = True) -> Outcomes:
    """Any answer of these kinds."""
    dice = random.Random(draw(_SEEDS))

    def limit() -> str:
        return f"{dice.randint(1, 4)} seconds"

    number = dice.choice((0, 1, 1, 2, 2, 3) if before else (1, 2, 3))
    then = []
    for place_of_step in range(number):
        takes = ("first", "last", "every") if every and place_of_step == number - 1 else ("first", "last")
        take: Any = dice.choice(takes)
        most = dice.randint(1, 3) if take == "every" else None
        without = dice.choice((None, *kinds))
        then.append(Then(dice.choice(kinds), limit(), take, without, most, f"then{place_of_step}"))
    earlier = [
        Before(dice.choice(kinds), limit(), dice.randint(1, 2), dice.choice((None, *kinds)), f"before{n}")
        for n in range(dice.choice((0, 0, 0, 1, 2) if then else (1, 2)) if before else 0)
    ]
    by = dice.choice([("user",), ("user",), ("site", "user"), ()])
    return Outcomes(dice.choice(kinds), by, tuple(then), tuple(earlier), early=dice.random() < 0.5)
