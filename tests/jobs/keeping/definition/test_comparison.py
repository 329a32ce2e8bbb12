"""Constants of a result that changed are told one by one; what is only written in another way has not changed."""

from dataclasses import replace
from typing import Any

import pytest
from pyspark.sql.types import StringType, StructField, StructType

from jobs.answers.result import Result
from jobs.answers.windows import CalendarDay, Hopping, Tumbling
from jobs.decisions.clocks import Clocks
from jobs.keeping.definition import comparison
from tests.altered import altered
from tests.jobs.keeping import readings
from tests.jobs.keeping.definition import sales

PANES, SEEN = readings.PANES, readings.SEEN
assert PANES.panes and SEEN.membership


CLOCKED = altered(SEEN, membership=Clocks("device", "sent_time"))


def other(result: Result, what: str, **changes: Any) -> Result:
    """The result with other panes, another membership, or other clocks."""
    changed = replace(getattr(result, what), **changes)
    return altered(result, **{"membership" if what == "clocks" else what: changed})


def keyed(key: str | None) -> Any:
    return type(readings.TOPIC)(**vars(readings.TOPIC) | {"KEY": key})


CHANGES: list[tuple[Result, Result, list[str]]] = [
    (PANES, other(PANES, "panes", every="15 minutes"), ["panes every: was 30 minutes, is now 15 minutes"]),
    (
        PANES,
        other(PANES, "panes", by=("site", "ok"), counts=(), lg_k=14),
        ["panes by: was site, is now site, ok", "panes counts: was ok, is now none", "panes lg_k: was 12, is now 14"],
    ),
    (
        PANES,
        other(PANES, "panes", sums=("reading",), averages=("level", "cell"), uniques=()),
        [
            "panes averages: was reading, level, is now level, cell",
            "panes uniques: was device, is now none",
            "panes sums: was none, is now reading",
        ],
    ),
    (PANES, altered(PANES, allowed_lateness="3 hours"), ["allowed_lateness: was 2 hours, is now 3 hours"]),
    (SEEN, other(SEEN, "membership", horizon="2 days"), ["membership horizon: was 1 day, is now 2 days"]),
    (CLOCKED, other(CLOCKED, "clocks", window=7), ["clocks window: was 31, is now 7"]),
    (CLOCKED, other(CLOCKED, "clocks", sent="at"), ["clocks sent: was sent_time, is now at"]),
    (CLOCKED, other(CLOCKED, "clocks", furthest="8760 hours", agreement="10 seconds"), []),
    (PANES, altered(PANES, topic=keyed("site")), ["key: was device, is now site"]),
    (altered(PANES, topic=keyed(None)), PANES, ["key: was none, is now device"]),
    # The same, written in another way.
    (PANES, other(PANES, "panes", every="1800 seconds"), []),
    (PANES, altered(PANES, allowed_lateness="120 minutes"), []),
    (SEEN, other(SEEN, "membership", horizon="24 hours", bucket="720 minutes"), []),
    # Windows are made of panes, and so may change: see test_window_change.py.
    (PANES, altered(PANES, windows=(Tumbling("1 hour", uniques=False), *PANES.windows[:0:-1])), []),
    # Keyless records are read instead of being put into quarantine.
    (PANES, altered(PANES, topic=keyed(None)), []),
    (PANES, replace(PANES, publish_every="5 minutes", max_records_per_batch=7), []),
]


@pytest.mark.parametrize(("was", "now", "said"), CHANGES)
def test_what_has_changed_is_named(was: Result, now: Result, said: list[str]) -> None:
    assert comparison.constant_differences(was.definition(), now.definition(), now) == said


def test_clocks_are_in_a_definition_only_if_there_are_some() -> None:
    assert "clocks" not in SEEN.definition()
    assert other(CLOCKED, "clocks", window=7).definition()["clocks"] == (
        "{'device': 'device', 'sent': 'sent_time', 'window': 7}"
    )
    assert CLOCKED.definition() == SEEN.definition() | {
        "membership": "None",
        "clocks": "{'device': 'device', 'sent': 'sent_time'}",
    }
    gone = comparison.constant_differences(CLOCKED.definition(), PANES.definition(), PANES)
    assert "clocks: was device device, sent sent_time, is now none" in gone
    added = comparison.constant_differences(SEEN.definition(), CLOCKED.definition(), CLOCKED)
    assert any(line.startswith("clocks: is now ") for line in added)


def test_fields_at_their_default_are_not_in_a_ledger() -> None:
    assert PANES.definition()["panes"] == (
        "{'every': '30 minutes', 'by': ('site',), 'averages': ('reading', 'level'), 'uniques': ('device',), "
        "'counts': ('ok',)}"
    )
    assert SEEN.definition()["membership"] == (
        "{'horizon': '1 day', 'bucket': '12 hours', 'expected_keys': 5000, 'false_positive_rate': 1e-06}"
    )
    said = other(PANES, "panes", count="records", lg_k=12, sums=())
    assert said.definition() == PANES.definition()


OF_VERSION_0_2_0 = {
    "panes": "{'every': '30 minutes', 'by': ('site',), 'count': 'records', 'averages': ('reading', 'level'), "
    "'uniques': ('device',), 'counts': ('ok',), 'lg_k': 12}",
    "windows": "tumbling 1 hour; hopping 1 hour every 30 minutes; day America/New_York",
    "membership": "None",
}
"""As that version wrote it, with all the fields that it knew."""


def test_a_ledger_with_every_field_that_its_version_knew_means_the_same() -> None:
    known = PANES.definition() | OF_VERSION_0_2_0
    assert comparison.constant_differences(known, PANES.definition(), PANES) == []
    assert comparison.changed_windows(known, PANES) == ((), ())
    finer = other(PANES, "panes", lg_k=14, deviations=("level",))
    assert comparison.constant_differences(known, finer.definition(), finer) == [
        "panes lg_k: was 12, is now 14",
        "panes deviations: was none, is now level",
    ]
    seen = SEEN.definition() | {
        "membership": "{'horizon': '1 day', 'bucket': '12 hours', 'expected_keys': 5000, 'false_positive_rate': 1e-06}"
    }
    assert comparison.constant_differences(seen, SEEN.definition(), SEEN) == []


def test_what_a_ledger_does_not_have_was_as_it_is_by_default() -> None:
    known = PANES.definition()
    finer = other(PANES, "panes", lg_k=14)
    assert comparison.constant_differences(known, finer.definition(), finer) == ["panes lg_k: was 12, is now 14"]
    assert comparison.constant_differences(finer.definition(), known, PANES) == ["panes lg_k: was 14, is now 12"]
    hour = altered(PANES, allowed_lateness="1 hour")
    del known["allowed_lateness"]
    assert comparison.constant_differences(known, hour.definition(), hour) == []
    assert comparison.constant_differences(known, PANES.definition(), PANES) == ["allowed_lateness: is now 2 hours"]


def test_a_result_of_another_kind() -> None:
    seen = altered(SEEN, panes=PANES.panes, windows=(Hopping("1 hour", "30 minutes"), CalendarDay("UTC")))
    said = comparison.constant_differences(SEEN.definition(), seen.definition(), seen)
    assert said[0].startswith("panes: was none, is now every 30 minutes, by site,")
    assert len(said) == 1
    assert (
        comparison.constant_differences(
            sales.RESULT.definition(), replace(sales.RESULT, name="other").definition(), seen
        )
        == []
    )


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("a b", "a b", "what it does with its columns is not what it was"),
        ("a b c", "b", "it no longer uses a, c"),
        ("a", "a b", "it uses b, which it did not"),
        ("a", "b", "it no longer uses a, and it uses b, which it did not"),
    ],
)
def test_a_transform_that_uses_other_columns_is_told_by_these(was: str, now: str, said: str) -> None:
    before, after = (StructType([StructField(name, StringType()) for name in some.split()]) for some in (was, now))
    assert comparison._how_it_differs(before, after) == said
