"""The tables of each job that is a file here have the columns that its docstring and the docs speak of."""

import pytest
from pyspark.sql import SparkSession

from jobs import (
    aircraft_day,
    delay_by_week,
    delay_passed_on,
    departure_delay,
    first_sighting,
    ground_stop,
    turnaround,
    unique_aircraft,
)
from jobs.answers.result import Result
from jobs.keeping import result_tables

OF_A_RECORD = ("record_partition", "record_offset", "record_key", "event_time")
WINDOW = ["window_kind", "window_start", "window_end", "origin", "departures"]
EXPECTED: list[tuple[Result, list[str], set[str]]] = [
    (
        departure_delay.RESULT,
        [*WINDOW, "delay_minutes_mean", "delay_minutes_min", "delay_minutes_max", "due_time", "final",
         "revision", "updated_time"],
        {"_panes", "_stragglers", "_quarantine"},
    ),
    (
        unique_aircraft.RESULT,
        [*WINDOW, "tail_number_estimate", "tail_number_standard_error", "tail_number_sketch", "lg_k", "due_time",
         "final", "revision", "updated_time"],
        {"_panes", "_stragglers", "_quarantine"},
    ),
    (
        delay_by_week.RESULT,
        [*WINDOW, "delay_minutes_mean", "delay_minutes_min", "delay_minutes_max", "delay_minutes_p50",
         "delay_minutes_p95", "due_time", "final", "revision", "updated_time"],
        {"_panes", "_calendar_days", "_stragglers", "_quarantine"},
    ),
    (
        first_sighting.RESULT,
        ["record_partition", "record_offset", "record_key", "event_time", "origin", "tail_number", "seen_before",
         "sequence"],
        {"_filters", "_stragglers", "_quarantine"},
    ),
]  # fmt: skip

ENDS_OF_SESSIONS = ["due_time", "final", "revision", "updated_time"]
EXPECTED.append(
    (
        aircraft_day.RESULT,
        ["tail_number", "session_start", "session_end", "departures", "delay_minutes_mean", "delay_minutes_min",
         "delay_minutes_max", "origin_estimate", "origin_standard_error", "origin_sketch", "lg_k", *ENDS_OF_SESSIONS],
        {"_spells", "_stragglers", "_quarantine"},
    )
)  # fmt: skip

ANCHOR = ["event_time", "record_partition", "record_offset"]
ENDS = ["due_time", "final", "revision", "updated_time"]
OF_EVENTS: list[tuple[Result, list[str], set[str]]] = [
    (
        delay_passed_on.RESULT,
        ["tail_number", *ANCHOR, "origin", "delay_minutes", "outcome", "next_time", "next_partition", "next_offset",
         "next_origin", "next_delay_minutes", *ENDS],
        {"_departures", "_stragglers", "_quarantine"},
    ),
    (
        turnaround.RESULT,
        ["tail_number", *ANCHOR, "destination", "delay_minutes", "outcome", "next_time", "next_partition",
         "next_offset", "next_origin", "next_delay_minutes", *ENDS],
        {"_arrivals", "_departures", "_stragglers", "_quarantine"},
    ),
    (
        ground_stop.RESULT,
        ["origin", *ANCHOR, "very_late", "delay_minutes_mean", "delay_minutes_min", "delay_minutes_max",
         "carrier_unique", "crowded", *ENDS],
        {"_departures", "_stragglers", "_quarantine"},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("result", "columns", "others"), OF_EVENTS, ids=lambda value: getattr(value, "name", ""))
def test_the_columns_of_an_answer_of_events(
    result: Result, columns: list[str], others: set[str], spark: SparkSession
) -> None:
    by_name = {table.name: table for table in result_tables.definitions(spark, result)}
    assert by_name.keys() == {result.name, *(result.name + other for other in others)}
    assert by_name[result.name].columns.fieldNames() == columns


@pytest.mark.parametrize(("result", "columns", "others"), EXPECTED, ids=lambda value: getattr(value, "name", ""))
def test_the_columns_of_a_job(result: Result, columns: list[str], others: set[str], spark: SparkSession) -> None:
    by_name = {table.name: table for table in result_tables.definitions(spark, result)}
    assert by_name.keys() == {result.name, *(result.name + other for other in others)}
    assert by_name[result.name].columns.fieldNames() == columns
    bare = {field.name for field in by_name[result.name].columns if not field.metadata.get("comment")}
    assert bare <= {*OF_A_RECORD, *result.topic.COLUMNS.names}, "what the job adds says what it is"
