"""What pages are made of: spans of time, charts, commands in remedies, windows of a real result."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.admin import remedies
from jobs.admin.states import Finding
from jobs.lake import table_queries
from jobs.running import kafka_tools
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places
from jobs.ui import charts, history, htmx_files, published, sparkline, vega_bundle, words
from tests.jobs.keeping.small import LOG, expected
from tests.jobs.keeping.world import places_in
from tests.jobs.ui import made_results

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def batch(after: timedelta, records: int, most: float = 0.0) -> dict[str, Any]:
    """A row of a ledger."""
    counts = dict.fromkeys(("quarantined", "out_of_order", "late"), 1)
    lateness = {f"lateness_{which}_seconds": most for which in ("p50", "p99", "max")}
    return {"committed_time": NOON + after, "records": records} | counts | lateness


def test_batches_by_spans_of_time() -> None:
    """Two hours are 24 spans of five minutes; the first three batches are in one of them."""
    times = [0, 1, 4, 120]
    rows = [batch(timedelta(minutes=at), 10 * (1 + n), n) for n, at in enumerate(times)]
    found = history.spans(rows)
    assert [(s.start - NOON, s.end - s.start, s.batches, s.records, s.late) for s in found] == [
        (timedelta(0), timedelta(minutes=5), 3, 60, 3),
        (2 * HOUR, timedelta(minutes=5), 1, 40, 1),
    ]
    assert [s.lateness_max_seconds for s in found] == [2.0, 3.0]
    assert history.spans([]) == []


@pytest.mark.parametrize("days", [0.0001, 1, 30, 4000])
def test_no_more_spans_than_a_screen_has_room_for(days: float) -> None:
    rows = [batch(timedelta(days=days) * n / 499, 1) for n in range(500)]
    found = history.spans(rows)
    assert len(found) <= history.MOST_SPANS
    assert sum(span.records for span in found) == 500


def window(hour: int, value: int, group: str = "a") -> dict[str, Any]:
    return {"start": NOON + hour * HOUR, "end": NOON + (hour + 1) * HOUR, "group": group, "value": value}


def test_a_line_ends_with_its_window_where_none_follows() -> None:
    """Hours 0 and 1, then a gap, then hour 5; of the other group hour 0."""
    rows = [window(0, 7), window(1, 8), window(5, 9), window(0, 3, "b")]
    drawn = charts.windows(rows, "visits", ("site",))["data"]["values"]
    noon = 1_714_564_800_000
    points = [((row["start"] - noon) / 3_600_000, row["value"]) for row in drawn if row["group"] == "a"]
    assert points == [(0, 7), (1, 8), (2, 8), (2, None), (5, 9), (6, 9), (6, None)]
    assert [row["value"] for row in drawn if row["group"] == "b"] == [3, 3, None]


def test_charts_without_numbers() -> None:
    for spec in (charts.records([]), charts.lateness([]), charts.windows([], "visits", ())):
        assert spec["data"]["values"] == []


BROKER = Kafka(servers="127.0.0.1:9092")
DEFINITION = {"topic": "visits", "columns": "site int"}


@pytest.mark.parametrize(
    ("remedy", "commands"),
    [
        (remedies.advice("v_v1", DEFINITION, [("missing_field", "site")]), ["headrace requeue v_v1"]),
        (remedies.advice("v_v1", DEFINITION, [("not_json", None)]), []),
        (
            f"run its job before that, or raise it: {kafka_tools.set_config(BROKER, 'visits', 'retention.ms=-1')}",
            [
                "kafka-configs --bootstrap-server 127.0.0.1:9092 --alter --entity-type topics --entity-name visits "
                "--add-config retention.ms=-1"
            ],
        ),
        ("fill it with `headrace produce visits FILE`.", ["headrace produce visits FILE"]),
        ("run its job: it finishes the batch or takes it back", []),
    ],
)
def test_commands_in_a_remedy_are_those_to_copy(remedy: str, commands: list[str]) -> None:
    assert words.commands(Finding(False, "", remedy)) == commands


def test_the_records_of_the_last_24_hours() -> None:
    """At 12:30 the last hour is that from 12:00 on, and the first one that from 13:00 of yesterday."""
    now = NOON + timedelta(minutes=30)
    records = {NOON: 500, NOON - HOUR: 1000, NOON - 3 * HOUR: 1, NOON - 23 * HOUR: 250, NOON - 24 * HOUR: 9999}
    found = sparkline.bars(records, now)
    assert [(bar.x, bar.y, bar.height) for bar in found] == [(0, 15, 5), (80, 19, 1), (88, 0, 20), (92, 10, 10)]
    text = "1,751 records read in the last 24 hours, most from 11:00 to 12:00 UTC: 1,000"
    assert sparkline.words(records, now) == text
    assert sparkline.bars({}, now) == [] and sparkline.words({}, now) == "no records read in the last 24 hours"


def test_the_library_that_draws_is_the_one_of_the_installed_package() -> None:
    """If not: python -m jobs.ui.vega_bundle."""
    with vega_bundle.FILE.open(encoding="utf-8") as file:
        assert file.readline().rstrip() == vega_bundle.header()


def test_the_libraries_that_renew_a_page_are_the_files_that_were_released() -> None:
    """If not: python -m jobs.ui.htmx_files. Nothing beside them and vega.js is of others."""
    for library in htmx_files.LIBRARIES:
        assert htmx_files.sha256(library.file.read_bytes()) == library.sha256, library.package
    shipped = {path.name for path in htmx_files.FOLDER.glob("*.js")}
    assert shipped == {library.file.name for library in htmx_files.LIBRARIES} | {"vega.js", "page.js", "charts.js"}


def test_windows_of_a_result_that_a_job_has_made(folder: Path) -> None:
    """Counted record by record in plain Python."""
    places = places_in(folder)
    choice = published.window_choice(places, "small_v1")
    assert choice and choice.kinds == ("tumbling 1 hour",) and choice.by == ("site",)
    found = {
        (row["start"], row["group"]): row["value"]
        for site in choice.groups
        for row in published.windows(places, "small_v1", choice, "tumbling 1 hour", site, "records")
    }
    assert found == expected(LOG[:9])


def test_windows_of_a_table_of_an_earlier_version(places: Places) -> None:
    made_results.make(places, "earlier_v1")
    table = DeltaTable(places.table("earlier_v1"))
    rows = table_queries.rows(table).rename_columns({"window_kind": "window"})
    write_deltalake(table, rows, mode="overwrite", schema_mode="overwrite")
    choice = published.window_choice(places, "earlier_v1")
    assert choice and choice.kinds == ("tumbling 1 hour",) and choice.groups == ("north", "south")
    found = published.windows(places, "earlier_v1", choice, "tumbling 1 hour", "north", "visits")
    assert [row["value"] for row in found] == [10 * hour for hour in range(made_results.HOURS)]
