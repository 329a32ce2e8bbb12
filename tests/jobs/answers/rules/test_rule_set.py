"""Which events meet which rules: as plain Python says it, and as DuckDB does where the rule is SQL."""

from collections.abc import Sequence
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.rules import predicate, rule_set
from jobs.answers.rules.rule_set import Effort, RuleSet
from tests.jobs.answers.rules import listings
from tests.jobs.answers.rules.listings import ARROW, FIELDS


def pairs(rules: Sequence[str], events: pa.Table, effort: Effort | None = None) -> list[tuple[int, int]]:
    """The rules and events that meet."""
    found = RuleSet([predicate.parse(rule, FIELDS) for rule in rules])
    hits = list(found.hits(events, effort or Effort(found.size)))
    return sorted(pair for each in hits for pair in zip(each.rules.tolist(), each.events.tolist(), strict=True))


def table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([dict.fromkeys(ARROW.names) | row for row in rows], ARROW)


@settings(max_examples=150, deadline=None)
@given(st.lists(listings.rules(with_words=True), min_size=1, max_size=8), listings.events())
def test_a_rule_is_met_as_plain_python_says(rules: list[listings.Node], rows: list[dict[str, Any]]) -> None:
    expected = [(r, e) for r, rule in enumerate(rules) for e, row in enumerate(rows) if listings.met(rule, row)]
    assert pairs([listings.text_of(rule) for rule in rules], table(rows)) == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(listings.rules(with_words=False), min_size=1, max_size=6), listings.events())
def test_a_rule_is_met_as_duckdb_says(rules: list[listings.Node], rows: list[dict[str, Any]]) -> None:
    texts = [listings.text_of(rule) for rule in rules]
    numbered = table(rows).append_column("place", pa.array(range(len(rows))))
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("numbered", numbered)
        expected = [
            (place, event)
            for place, text in enumerate(texts)
            for (event,) in connection.execute(f"select place from numbered where {text} order by place").fetchall()
        ]
    assert pairs(texts, table(rows)) == expected


def test_chunks_and_blocks_do_not_change_what_is_met(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(7)
    rows = [{"city": f"c{random.integers(20)}", "rooms": int(random.integers(9)), "text": "a b"} for _ in range(500)]
    rules = [f"city in ('c{n}', 'c3') and rooms > {n % 7}" for n in range(40)] + ["rooms <> 3", "contains(text, 'b')"]
    events, whole, cut = table(rows), Effort(len(rules)), Effort(len(rules))
    expected = pairs(rules, events, whole)
    monkeypatch.setattr(rule_set, "CHUNK", 64)
    monkeypatch.setattr(rule_set, "BLOCK", 30)
    assert pairs(rules, events, cut) == expected
    assert len(expected) > 1_000
    assert cut.hits.tolist() == whole.hits.tolist() == np.bincount([r for r, _ in expected]).tolist()


@pytest.mark.parametrize(
    ("rule", "tried"),
    [
        ("city = 'c1' and rooms >= 0", 10),
        ("rooms >= 0 and city = 'c1'", 10),
        ("rooms = 99 and city = 'c1'", 1),
        ("city in ('c1', 'c2', 'nowhere') and rent > 1", 20),
        ("city = 'c1' or city = 'c2'", 20),
        ("(city = 'c1' or city = 'c2') and not city = 'c1'", 20),
        ("contains(text, 'seven') and rooms > 3", 10),
        ("contains_phrase(text, 'number seven') and rooms > 3", 10),
        ("rooms between 10 and 12 and rent > 0", 3),
        ("city like 'c1%'", 10),
        ("text is null and rooms > 1", 0),
        ("city = 'nowhere' and rooms > 1", 0),
        ("city <> 'c1'", 100),
        ("city = 'c1' or rooms = 3", 100),
        ("not contains(text, 'seven')", 100),
    ],
)
def test_a_rule_is_tried_on_the_events_of_its_rarest_necessary_term(rule: str, tried: int) -> None:
    names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    rows = [{"city": f"c{n % 10}", "rooms": n, "rent": 2.0, "text": f"number {names[n % 10]}"} for n in range(100)]
    effort = Effort(1)
    pairs([rule], table(rows), effort)
    assert (effort.tried.tolist(), effort.events) == ([tried], 100)


def test_the_time_of_rules_of_one_shape_is_shared_by_their_candidates_and_slow_ones_are_named() -> None:
    """A clock that goes on by a second whenever it is read: 1 for the terms of a shape, 1 for each block."""
    seconds = iter(range(0, 10**12, 10**9))
    rows = [{"city": "a" if n % 4 else "b", "rooms": n} for n in range(4_000)]
    rules = RuleSet([predicate.parse(rule, FIELDS) for rule in ("city = 'a'", "city = 'b'", "rooms <> 3")])
    effort = Effort(rules.size)
    for _ in rules.hits(table(rows), effort, lambda: next(seconds)):
        pass
    assert effort.tried.tolist() == [3_000, 1_000, 4_000]
    assert effort.nanos.tolist() == [0.5e9 + 0.75e9, 0.5e9 + 0.25e9, 2e9]
    assert effort.above(100.0).tolist() == [0, 1, 2]
    assert effort.above(400.0).tolist() == [2]
    assert Effort(1).above(0.0).tolist() == []


def test_no_rules_and_no_events() -> None:
    assert pairs([], table([{"rooms": 1}])) == []
    assert pairs(["rooms = 1", "contains(text, 'a')"], table([])) == []
