"""Outcomes against a walk over sorted events in plain Python, and by hand."""

import random
import re
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import BooleanType, IntegerType, LongType, StringType, StructField, StructType, TimestampType

from jobs.answers.event_rows.event_answer import SHOWN
from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.running.errors import Mistake
from tests.jobs.answers import outcome_walk as walk
from tests.jobs.answers.outcome_walk import EVER, SECOND, TOPICS, Event

MANY = settings(max_examples=400)
COMPLETE = st.one_of(st.just(-(2**63)), st.integers(-4, 12).map(lambda second: second * SECOND + 1), st.just(EVER))


def computed(answer: Outcomes, events: list[Event], complete: int = EVER) -> list[dict[str, Any]]:
    """The rows of the answer, in order of its key."""
    rows = answer.rows(walk.tables(events), complete).to_pylist()
    return sorted(rows, key=lambda row: [str(row[name]) for name in answer.key])


@MANY
@given(walk.answers(), walk.logs(), COMPLETE)
def test_rows_are_those_of_a_walk_over_sorted_events(answer: Outcomes, log: list[Event], complete: int) -> None:
    assert computed(answer, log, complete) == walk.rows(answer, log, complete)


@given(walk.answers(), walk.logs(), COMPLETE, st.randoms(use_true_random=False))
def test_the_order_of_the_input_changes_nothing(
    answer: Outcomes, log: list[Event], complete: int, dice: random.Random
) -> None:
    shuffled = dice.sample(log, len(log))
    assert computed(answer, shuffled, complete) == computed(answer, log, complete)


@given(walk.answers(), walk.logs(), st.integers(-3, 6), st.integers(0, 3))
def test_a_row_depends_on_events_in_reach_alone(answer: Outcomes, log: list[Event], start: int, length: int) -> None:
    span = walk.instant(start * SECOND), walk.instant((start + length) * SECOND)
    before, after = (timedelta(microseconds=each) for each in answer.reach)
    near = [event for event in log if span[0] - before <= event["event_time"] <= span[1] + after]

    def anchored(events: list[Event]) -> list[dict[str, Any]]:
        return [row for row in computed(answer, events) if span[0] <= row["event_time"] <= span[1]]

    assert anchored(near) == anchored(log)


@given(walk.answers(), walk.logs(late=False), st.integers(-3, 10), st.data())
def test_a_final_row_stays_as_it_is(answer: Outcomes, log: list[Event], second: int, data: st.DataObject) -> None:
    complete = walk.instant(second * SECOND)
    here = [event for event in log if event["event_time"] < complete or data.draw(st.booleans())]
    final = [row for row in computed(answer, here, second * SECOND) if row["final"]]
    assert all(row["due_time"] <= complete and row[SHOWN] for row in final)
    assert all(row in computed(answer, log) for row in final)


@settings(max_examples=60)
@given(walk.answers(("is_hit", "is_stop", "clicks"), every=False, before=False), walk.logs(topics=("clicks",), most=10))
def test_a_row_is_due_once_no_further_event_can_change_it(answer: Outcomes, log: list[Event]) -> None:
    for row in computed(answer, log):
        if None not in [row[name] for name in answer.by]:
            assert row["due_time"] == last_change(answer, log, row) + timedelta(microseconds=1)


def last_change(answer: Outcomes, log: list[Event], row: dict[str, Any]) -> datetime:
    """The last event time at which one more event changes the row: found by trying every place in the log."""
    further = {
        "topic": "clicks",
        "is_hit": False,
        "is_stop": False,
        "late": False,
        "words": None,
        "user": row["user"],
        "site": row["site"],
    }
    for second in range(20, -4, -1):
        time = walk.instant(second * SECOND)
        beside = [event for event in log if event["event_time"] == time]
        places = [
            (event["record_partition"], event["record_offset"] + more) for event in beside for more in (-0.5, 0.5)
        ]
        for partition, offset in [*places, (9, 0)]:
            for kind in ("is_hit", "is_stop"):
                placed = {"event_time": time, "record_partition": partition, "record_offset": offset}
                changed = walk.rows(answer, [*log, further | placed | {kind: True}], EVER)
                if row not in changed:
                    return time
    raise AssertionError("no event changes the row")


@given(walk.answers(), walk.logs())
def test_columns_are_as_declared(answer: Outcomes, log: list[Event]) -> None:
    answer.check(TOPICS)
    declared = to_arrow_schema(answer.columns(TOPICS), timezone="UTC").append(pa.field(SHOWN, pa.bool_()))
    assert answer.rows(walk.tables(log), EVER).schema == declared
    assert answer.rows(walk.tables([]), EVER).schema == declared


@given(walk.answers(), walk.logs())
def test_the_key_tells_a_row_from_another(answer: Outcomes, log: list[Event]) -> None:
    keys = [tuple(row[name] for name in answer.key) for row in computed(answer, log)]
    assert len(set(keys)) == len(keys)


CARDS = StructType(
    [
        StructField("event_time", TimestampType()),
        StructField("card", StringType()),
        StructField("amount", LongType()),
        *(
            StructField(f"is_{kind}", BooleanType())
            for kind in ("pin_change", "withdrawal", "reset", "failure", "success")
        ),
        StructField("record_partition", IntegerType()),
        StructField("record_offset", LongType()),
        StructField("late", BooleanType()),
    ]
)
FOLLOWED = Outcomes(
    each="is_pin_change",
    by=("card",),
    then=(Then("is_withdrawal", within="5 minutes", without="is_reset"),),
    called=("followed", "not_followed", "late"),
)
FORCED = Outcomes(
    each="is_success", by=("card",), before=(Before("is_failure", times=5, within="10 minutes", since="is_success"),)
).named("forced")


def cards(*events: tuple[str, int, str]) -> dict[str, pa.Table]:
    """A topic of (card, second, kind); a kind that ends in ! is late. The amount is the place in the list."""
    rows = [
        {
            "event_time": walk.instant(second * SECOND),
            "card": card,
            "amount": offset,
            "record_partition": 0,
            "record_offset": offset,
            "late": kind.endswith("!"),
            f"is_{kind.strip('!')}": True,
        }
        for offset, (card, second, kind) in enumerate(events)
    ]
    return {"card_events": pa.Table.from_pylist(rows, to_arrow_schema(CARDS, timezone="UTC"))}


def test_a_change_of_pin_is_followed_broken_or_neither() -> None:
    table = cards(
        *(("a", 0, "pin_change"), ("a", 300, "withdrawal"), ("a", 1000, "pin_change"), ("a", 1301, "withdrawal")),
        *(("b", 0, "pin_change"), ("b", 10, "reset"), ("b", 20, "withdrawal"), ("b", 100, "pin_change")),
        *(("c", 0, "pin_change"), ("c", 10, "withdrawal!"), ("c", 1000, "pin_change")),
    )
    rows = FOLLOWED.rows(table, 1_300 * SECOND).select(["amount", "outcome", "withdrawal_amount", "final"]).to_pylist()
    assert [tuple(row.values()) for row in sorted(rows, key=lambda row: row["amount"])] == [
        (0, "followed", 1, True),
        (2, "open", None, False),  # an event at 1300 may still come
        (4, "broken", None, True),
        (7, "not_followed", None, True),
        (8, "late", 9, True),
        (10, "open", None, False),
    ]
    later = FOLLOWED.rows(table, 1_300 * SECOND + 1).to_pylist()
    assert [row["outcome"] for row in later if row["amount"] in (2, 10)] == ["not_followed", "not_followed"]


def event(topic: str, user: str | None, second: int, partition: int, offset: int, **more: Any) -> Event:
    """An event of one of the two topics."""
    place = {"event_time": walk.instant(second * SECOND), "record_partition": partition, "record_offset": offset}
    flags = dict.fromkeys(("is_start", "is_hint", "is_hit", "is_stop"))
    return {"topic": topic, "user": user, "site": 1.0, "words": None, "late": False} | flags | place | more


def test_clicks_of_a_search_from_two_topics() -> None:
    log = [
        event("searches", "a", 100, 0, 1),
        event("searches", "a", 101, 1, 1),
        event("clicks", "a", 100, 0, 1),  # at the same time as the search, whose topic is the first
        event("clicks", "a", 110, 0, 3, late=True),
        event("clicks", "a", 110, 0, 2),
        event("clicks", "a", 111, 1, 1),
        event("clicks", "a", 99, 1, 9),
        event("searches", None, 100, 0, 2),
        event("clicks", None, 100, 0, 4),
        event("searches", "b", 100, 0, 3),
    ]
    answer = Outcomes(
        "searches",
        ("user",),
        (Then("clicks", "10 seconds", "every", at_most=2, name="click"),),
        called=("clicked", "not_clicked", "late_click"),
    )
    rows = answer.rows(walk.tables(log), 110 * SECOND + 1)
    wanted = ["user", "record_offset", "outcome", "click_time", "click_partition", "click_offset", "due_time", "final"]
    at = {second: walk.instant(second * SECOND) for second in (100, 110, 111)}
    after = {second: walk.instant(second * SECOND + 1) for second in (100, 110, 111)}
    assert sorted(rows.select(wanted).to_pylist(), key=str) == sorted(
        (
            dict(zip(wanted, row, strict=True))
            for row in [
                ("a", 1, "clicked", at[100], 0, 1, after[100], True),
                ("a", 1, "clicked", at[110], 0, 2, after[110], True),
                ("a", 1, "clicked", at[110], 0, 2, after[110], True),  # the other search
                ("a", 1, "late_click", at[110], 0, 3, after[110], True),
                (None, 2, "not_clicked", None, None, None, after[110], True),
                ("b", 3, "not_clicked", None, None, None, after[110], True),
            ]
        ),
        key=str,
    )


def test_several_steps() -> None:
    steps = (Then("is_reset", "40 seconds", "last"), Then("is_withdrawal", "5 seconds"))
    table = cards(
        *(("a", 0, "pin_change"), ("a", 10, "reset!"), ("a", 20, "reset"), ("a", 22, "withdrawal")),
        *(("b", 0, "pin_change"), ("b", 10, "reset"), ("b", 16, "withdrawal")),
        ("c", 0, "pin_change"),
    )
    rows = Outcomes("is_pin_change", ("card",), steps).rows(table, 30 * SECOND).to_pylist()
    found = {row["card"]: [row[name] for name in ("outcome", "steps", "reset_offset", "due_time")] for row in rows}
    due = walk.instant(40 * SECOND + 1)  # until then another reset may be the last one
    assert found == {"a": ["matched", 2, 2, due], "b": ["open", 1, 5, due], "c": ["open", 0, None, due]}


def test_five_failures_then_a_success() -> None:
    failures = [("a", second, "failure") for second in (0, 100, 200, 300, 400)]
    table = cards(
        *failures,
        ("a", 600, "success"),  # the first failure is 10 minutes old
        ("a", 601, "success"),  # none since the last success
        *((card, second + 2000, kind) for card, second, kind in failures),
        ("a", 2601, "success"),  # the first failure is too old
        ("b", 600, "success"),
    )
    (row,) = FORCED.rows(table, EVER).to_pylist()
    assert row == {
        "card": "a",
        "event_time": walk.instant(600 * SECOND),
        "record_partition": 0,
        "record_offset": 5,
        "amount": 5,
        "is_pin_change": None,
        "is_withdrawal": None,
        "is_reset": None,
        "failure_count": 5,
        "failure_first_time": walk.instant(0),
        "due_time": walk.instant(600 * SECOND + 1),
        "final": True,
        SHOWN: True,
    }


def test_rows_that_are_decided_are_shown_early_if_wanted() -> None:
    table = cards(("a", 0, "pin_change"), ("a", 10, "withdrawal"), ("b", 0, "pin_change"))
    for early in (False, True):
        answer = Outcomes("is_pin_change", ("card",), (Then("is_withdrawal", "5 minutes", "last"),), early=early)
        shown = {row["card"]: (row["outcome"], row["final"], row[SHOWN]) for row in answer.rows(table, 20).to_pylist()}
        assert shown == {"a": ("matched", False, early), "b": ("open", False, False)}


def test_columns_of_a_row_in_their_order() -> None:
    answer = Outcomes(
        each="searches",
        by=("user",),
        then=(Then("is_hint", "1 minute"), Then("clicks", "1 minute", "every", at_most=2, name="click")),
        before=(Before("is_hit", "2 minutes"), Before("is_stop", "1 hour", name="halt")),
    )
    assert answer.columns(TOPICS).names == [
        *("user", "event_time", "record_partition", "record_offset", "words", "site", "is_start"),
        *("hit_count", "hit_first_time", "halt_count", "halt_first_time", "outcome", "steps"),
        *("hint_time", "hint_partition", "hint_offset", "hint_words", "hint_site", "hint_is_start"),
        *("click_time", "click_partition", "click_offset", "click_words", "click_site", "due_time", "final"),
    ]
    assert answer.key == ("record_partition", "record_offset", "click_partition", "click_offset")
    assert answer.reach == (3_600 * SECOND, 120 * SECOND)


THEN = (Then("clicks", "1 minute"),)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: Then("clicks", "1 fortnight"), "not a duration"),
        (lambda: Then("clicks", "1 minute", "any"), "take='any' of clicks: write one of first, last, every"),  # type: ignore[arg-type]
        (lambda: Then("clicks", "1 minute", "every"), "needs a bound of 1 or more: at_most=10"),
        (lambda: Then("clicks", "1 minute", "every", at_most=0), "needs a bound of 1 or more"),
        (lambda: Then("clicks", "1 minute", at_most=3), 'at_most of clicks goes with take="every"'),
        (lambda: Before("clicks", "1 minute", times=0), "times=0 of clicks: write 1 or more"),
        (lambda: Outcomes("searches", ("user",)), "ask for nothing"),
        (lambda: Outcomes("searches", "user", THEN), "by of the outcomes of searches is a tuple"),  # type: ignore[arg-type]
        (lambda: Outcomes("searches", ("user",), THEN[0]), "then of the outcomes of searches is a tuple"),  # type: ignore[arg-type]
        (
            lambda: Outcomes("searches", ("user",), (Then("clicks", "1 minute", "every", at_most=1), *THEN)),
            "only the last Then",
        ),
        (lambda: Outcomes("searches", ("user",), THEN, called=("yes", "open", "late")), "none of them open or broken"),
        (lambda: Outcomes("searches", ("user",), THEN, called=("yes", "no", "no")), "three different names"),
    ],
)
def test_wrong_arguments_are_refused(wrong: Any, text: str) -> None:
    with pytest.raises(Mistake, match=re.escape(text)):
        wrong()


def changed(topic: str, name: str, kind: Any) -> dict[str, StructType]:
    """The topics, with a column of this type added to one of them, or another type for a column that it has."""
    fields = [field for field in TOPICS[topic] if field.name != name]
    return TOPICS | {topic: StructType([*fields, StructField(name, kind)])}


@pytest.mark.parametrize(
    ("answer", "topics", "text"),
    [
        (
            Outcomes("sarches", ("user",), THEN),
            TOPICS,
            'outcomes of sarches: "sarches" is neither a topic nor a column of one. Topics: searches, clicks; boolean '
            "columns: late, is_start, is_hint, late, is_hit, is_stop",
        ),
        (Outcomes("searches", ("user",), (Then("words", "1 minute"),)), TOPICS, "columns of searches and clicks"),
        (
            Outcomes("searches", ("user",), THEN, (Before("clicks", "1 minute", since="is_hit"),)),
            changed("searches", "is_hit", BooleanType()),
            '"is_hit" is a column of the topics searches and clicks: which one is meant?',
        ),
        (
            Outcomes("searches", ("user",), (Then("clicks", "1 minute", without="is_stop"),)),
            changed("clicks", "is_stop", StringType()),
            '"is_stop" is a column of clicks of type string, and must be boolean',
        ),
        (
            Outcomes("searches", ("card",), THEN),
            TOPICS,
            "by has card, which is no column of searches; its columns: words,",
        ),
        (
            Outcomes("searches", ("user",), THEN),
            changed("clicks", "user", LongType()),
            "by has user, which is string in searches and bigint in clicks",
        ),
        (Outcomes("searches", ("user",), THEN * 2), TOPICS, "two columns clicks_time"),
        (
            Outcomes("searches", ("user",), THEN),
            changed("searches", "Clicks_Time", LongType()),
            "two columns clicks_time (capital and small letters are the same)",
        ),
        (Outcomes("searches", ("user",), THEN), changed("clicks", "offset", LongType()), "two columns clicks_offset"),
        (
            Outcomes("searches", ("user",), (Then("clicks", "1 minute", name="a b"),)),
            TOPICS,
            "a column of a table cannot be called 'a b_time', which has ' '",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(answer: Outcomes, topics: dict[str, StructType], text: str) -> None:
    with pytest.raises(Mistake) as refusal:
        answer.check(topics)
    assert text.replace("columns of searches", "column of the topics searches") in str(refusal.value)
    assert "\n" not in str(refusal.value)
