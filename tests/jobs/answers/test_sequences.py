"""Matches are those that Python's `re` finds in the letters between silences and restarts."""

import random
import re
import time
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.types import (
    BooleanType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers import sequences
from jobs.answers.sequences import Sequences
from jobs.running.errors import Mistake
from tests.jobs.answers.anchor_tables import NEVER, Event, answer_rows, check_laws, micros, moment, placed

LETTERS = {"f": "is_failure", "s": "is_success", "r": "is_reset"}
KINDS = pa.schema([("account", pa.string()), *((column, pa.bool_()) for column in LETTERS.values())])
SECOND = 1_000_000
WITHIN, RESTART = 1 * SECOND, 3 * SECOND
PATTERNS = [
    "f+s",
    "f{2,}?s",
    "fs?",
    "(f|rs)+",
    ".r",
    "[fr]{2}",
    "s.*f",
    "(ff|f)s",
    "f+",
    "r(f?s)?",
    "(fr){1,2}.?",
    "f.+?s",
]


def sequence(pattern: str = "f+s", **more: Any) -> Sequences:
    return Sequences(pattern, LETTERS, ("account",), **({"within": "1 second", "restart": "3 seconds"} | more))


def event() -> st.SearchStrategy[Event]:
    """Before and after 1970, mostly without a silence, and often at a restart."""
    jitter = st.sampled_from([0, 0, 0, 1, -1])
    flag = st.sampled_from([True, False, False, None])
    return st.fixed_dictionaries(
        {
            "event_time": st.tuples(st.integers(-16, 24), jitter).map(lambda t: moment(t[0] * SECOND // 2 + t[1])),
            "record_partition": st.integers(0, 1),
            "account": st.sampled_from(["a", "a", "a", "a", "b", None]),
            "is_failure": st.sampled_from([True, True, False, None]),
            "is_success": flag,
            "is_reset": flag,
        }
    )


def letter(event: Event) -> str:
    return next((letter for letter, column in LETTERS.items() if event[column]), "")


def lettered_groups(events: list[Event]) -> list[list[Event]]:
    """The events with a letter, by group, in canonical order."""
    lettered = [e for e in events if letter(e)]
    lone = [[e] for e in lettered if e["account"] is None]
    lettered = sorted(
        (e for e in lettered if e["account"] is not None),
        key=lambda e: (e["account"], e["event_time"], e["record_partition"], e["record_offset"]),
    )
    return [*lone, *(list(group) for _, group in groupby(lettered, lambda e: e["account"]))]


def pieces(group: list[Event]) -> list[list[Event]]:
    """Cut at silences; and at a multiple of RESTART if the run began a whole RESTART before it."""
    cut, run_start = [[group[0]]], micros(group[0]["event_time"])
    for before, after in pairwise(group):
        earlier, later = micros(before["event_time"]), micros(after["event_time"])
        multiple = later // RESTART * RESTART
        silence = later - earlier > WITHIN
        if silence:
            run_start = later
        if silence or (earlier < multiple and run_start <= multiple - RESTART):
            cut.append([])
        cut[-1].append(after)
    return cut


def expected(pattern: str, events: list[Event]) -> list[tuple[Any, ...]]:
    rows = []
    for piece in (piece for group in lettered_groups(events) for piece in pieces(group)):
        for match in re.finditer(pattern, "".join(map(letter, piece))):
            first, last = piece[match.start()], piece[match.end() - 1]
            if micros(last["event_time"]) - micros(first["event_time"]) <= WITHIN:
                rows.append((place(first), place(last), match.end() - match.start()))
    return sorted(rows)


def place(event: Event) -> tuple[Any, ...]:
    return (event["record_partition"], event["record_offset"], event["event_time"])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(PATTERNS), st.lists(event(), max_size=60).map(placed))
def test_matches_are_those_of_plain_python(pattern: str, events: list[Event]) -> None:
    rows = answer_rows(sequence(pattern), KINDS)(events, NEVER)
    found = [
        (
            (row["record_partition"], row["record_offset"], row["event_time"]),
            (row["last_partition"], row["last_offset"], row["last_time"]),
            row["events"],
        )
        for row in rows
    ]
    assert found == expected(pattern, events)
    accounts = {(e["record_partition"], e["record_offset"]): e["account"] for e in events}
    assert all(row["account"] == accounts[row["record_partition"], row["record_offset"]] for row in rows)


def run_of_events() -> st.SearchStrategy[list[Event]]:
    """Of one group: mostly without a silence over several restarts, with steps of just `within`."""
    step = st.tuples(st.sampled_from([0, 1, 2, 4, 4, 5]), st.sampled_from([0, 0, 0, 1]), st.sampled_from("ffsrr"))
    steps = st.lists(step, min_size=8, max_size=40)
    return st.tuples(st.integers(-20, 4), steps).map(along)


def along(drawn: tuple[int, list[tuple[int, int, str]]]) -> list[Event]:
    """Events after steps of quarters of a second, or a microsecond before."""
    at, steps = drawn
    events = []
    for step, early, letter in steps:
        at += step
        events.append(second(at / 4 - early / SECOND, letter))
    return placed(events)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["rr", "ff?", "[fr]{2}", "r.", *PATTERNS]),
    run_of_events() | st.lists(event(), max_size=60).map(placed),
    st.integers(0, 2**32).map(random.Random),
)
def test_order_reach_and_time_keep_their_laws(pattern: str, events: list[Event], dice: random.Random) -> None:
    answer = sequence(pattern)
    check_laws(answer_rows(answer, KINDS), events, answer.reach, dice)


def second(number: float, letter: str, account: str | None = "a") -> Event:
    flags = {column: letter == own for own, column in LETTERS.items()}
    return {"event_time": moment(round(number * SECOND)), "record_partition": 0, "account": account} | flags


def spelled(text: str, start: float = 0.0, step: float = 0.5) -> list[Event]:
    """One event each half second."""
    return placed([second(start + step * number, letter) for number, letter in enumerate(text)])


def found(events: list[Event], answer: Sequences) -> list[tuple[float, float]]:
    """From when to when, in seconds."""
    rows = answer_rows(answer, KINDS)(events, NEVER)
    return [(micros(row["event_time"]) / SECOND, micros(row["last_time"]) / SECOND) for row in rows]


def test_a_short_run_is_not_cut_at_a_restart_and_a_long_one_is_cut_at_each() -> None:
    assert found(spelled("fs", 2.75), sequence("fs")) == [(2.75, 3.25)]
    assert found(spelled("rrrrrfs", 0.25), sequence("fs")) == [(2.75, 3.25)]  # began after 0
    assert found(spelled("rrrrrfs", 0.0), sequence("fs")) == []
    assert found(spelled("r" * 11 + "fs", 0.25), sequence("fs")) == []  # at 6, as it began before 3


def test_a_silence_is_longer_than_within() -> None:
    apart = [second(0, "f"), second(1, "s"), second(3, "f"), second(4.000001, "s")]
    assert found(placed(apart), sequence("fs")) == [(0, 1)]


def test_a_match_that_takes_too_long_is_none_and_its_events_are_in_no_other() -> None:
    assert found(spelled("fffs"), sequence("f+s")) == []
    assert found(spelled("fffs"), sequence("f{1,2}s")) == [(0.5, 1.5)]


def test_an_event_is_the_first_letter_whose_column_is_true_and_without_one_it_is_not_there() -> None:
    both = second(0, "f") | {"is_success": True}
    events = placed([both, second(0.5, "-"), second(1, "s")])
    assert found(events, sequence("fs")) == [(0, 1)]
    assert found(events, Sequences("ss", {"s": "is_success", "f": "is_failure"}, ("account",), "1 second")) == [(0, 1)]


def test_a_row_is_final_after_the_silence_or_at_the_restart() -> None:
    rows = answer_rows(sequence("fs"), KINDS)
    (row,) = rows(spelled("fs", 1.75), NEVER)
    assert micros(row["due_time"]) == 3_250_001 and not row["__shown"]  # 2.25 and a second: a run of 1.75 goes over 3
    (row,) = rows(spelled("rrrrfs", 0), 3_000_000)
    assert micros(row["due_time"]) == 3_000_000 and row["final"] and row["__shown"]
    (row,) = answer_rows(sequence("fs", early=True), KINDS)(spelled("fs", 1.75), NEVER)
    assert row["__shown"] and not row["final"]


def test_events_of_one_record_are_in_the_order_of_their_letters_however_they_come() -> None:
    """A transform may make several of a record."""
    pair = [second(0, "s") | {"record_offset": 7, "late": False}, second(0, "f") | {"record_offset": 7, "late": False}]
    rows = answer_rows(sequence("fs"), KINDS)
    assert rows(pair, NEVER) == rows(pair[::-1], NEVER) and len(rows(pair, NEVER)) == 1


def test_a_match_depends_on_an_event_of_nearly_two_restarts_and_within_before_it() -> None:
    """Whether the run is cut at 3 depends on its first event, and that decides which pairs there are up to 6."""
    run = [second(at, "r") for at in (-0.75, 0.25, 1.25, 2.25, 3, 3.75, 4.5, 5.25, 5.75, 5.9)]
    pairs = [(-0.75, 0.25), (1.25, 2.25), (3, 3.75), (4.5, 5.25), (5.75, 5.9)]
    assert found(placed(run), sequence("rr")) == pairs
    assert found(placed(run[1:]), sequence("rr")) == [(0.25, 1.25), (2.25, 3), (3.75, 4.5), (5.25, 5.75)]
    assert sequence("rr").reach[0] >= 6.5 * SECOND


@pytest.mark.parametrize(
    "pattern", ["f+s", "f{5,}s", "f*s", "f*?s", "f*f*f*s", "(f|ff)+s", "(f|r)*s", ".*s", "(f?f){9}s"]
)
def test_a_hundred_thousand_letters_take_less_than_a_second(pattern: str) -> None:
    """Python's `re` would look for the s from each f."""
    letters = np.full(100_000, ord("f"), np.uint8)
    answer = sequence(pattern)
    start = time.process_time()
    firsts, _ = sequences.matches(answer._re2(), letters, np.array([0]))
    assert time.process_time() - start < 1
    assert not len(firsts)


GIVEN = StructType(
    [
        StructField("event_time", TimestampType()),
        StructField("record_partition", IntegerType()),
        StructField("record_offset", LongType()),
        StructField("account", StringType()),
        *(StructField(column, BooleanType()) for column in LETTERS.values()),
        StructField("kind", StringType()),
    ]
)


def test_columns_of_letters_are_checked() -> None:
    sequence().check({"topic": GIVEN})
    with pytest.raises(Mistake, match="does not return is_fail; it returns event_time"):
        Sequences("f", {"f": "is_fail"}, ("account",), "1 second").check({"topic": GIVEN})
    with pytest.raises(Mistake, match="the letter f has the column kind, which is string"):
        Sequences("f", {"f": "kind"}, ("account",), "1 second").check({"topic": GIVEN})
    with pytest.raises(Mistake, match="two columns of the table would be called events"):
        events = StructType([*GIVEN, StructField("events", StringType())])
        Sequences("f", LETTERS, ("events",), "1 second").check({"topic": events})
    with pytest.raises(Mistake, match="is of one topic"):
        sequence().check({"one": GIVEN, "two": GIVEN})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"within": "4 seconds"}, "restart is 3 seconds, shorter than within, 4 seconds"),
        ({"letters": {"ff": "is_failure"}}, "letters has 'ff'"),
        ({"letters": {"<": "is_failure"}}, "letters has '<'"),
        ({"letters": {"f": ""}}, "no name of a column"),
        ({"letters": {"s": "is_success"}}, "has 'f', which is no letter"),
        ({"by": "account"}, "no tuple of names"),
        ({"within": "1 month"}, "no fixed length"),
    ],
)
def test_wrong_arguments_are_refused(wrong: dict[str, Any], message: str) -> None:
    right = {"pattern": "f+", "letters": LETTERS, "by": ("account",), "within": "1 second", "restart": "3 seconds"}
    with pytest.raises(Mistake, match=message):
        Sequences(**(right | wrong))
