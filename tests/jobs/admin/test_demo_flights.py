"""From the airports' clocks to records: hand-picked flights."""

import json
from datetime import datetime

import pandas as pd
import pytest

from jobs.admin import demo_flights
from schemas import arrival


def flight(month: int, day: int, scheduled: int, departed: float | None, delay: float | None) -> dict[str, object]:
    """A row as the package has it; clocks are HHMM at the airport."""
    clocks = {"sched_dep_time": scheduled, "dep_time": departed, "dep_delay": delay}
    rest = {
        "origin": "JFK",
        "dest": "LAX",
        "arr_delay": None,
        "carrier": "AA",
        "flight": 1,
        "tailnum": "N1",
        "distance": 2475,
    }
    return {"year": 2013, "month": month, "day": day, **clocks, **rest}


@pytest.mark.parametrize(
    ("row", "scheduled", "departed"),
    [
        (flight(1, 1, 515, 517, 2), "2013-01-01T10:15", "2013-01-01T10:17"),
        (flight(7, 1, 515, 510, -5), "2013-07-01T09:15", "2013-07-01T09:10"),  # summer time
        (flight(1, 1, 2359, 54, 55), "2013-01-02T04:59", "2013-01-02T05:54"),  # past midnight
        (flight(3, 9, 2253, 153, 180), "2013-03-10T03:53", "2013-03-10T06:53"),  # seven minutes before the clock jumps
        (
            flight(3, 9, 2300, 330, 270),
            "2013-03-10T04:00",
            "2013-03-10T07:30",
        ),  # past the jump: an hour less than it says
        (flight(11, 2, 2355, 130, 95), "2013-11-03T03:55", "2013-11-03T05:30"),  # 01:30 comes twice: the first
        (flight(1, 1, 2359, 2400, 1), "2013-01-02T04:59", "2013-01-02T05:00"),  # 24:00
    ],
)
def test_clocks_become_utc(row: dict[str, object], scheduled: str, departed: str) -> None:
    found = demo_flights.departures(pd.DataFrame([row])).iloc[0]
    assert found["scheduled_time"] == pd.Timestamp(scheduled, tz="UTC")
    assert found["departure_time"] == pd.Timestamp(departed, tz="UTC")


def test_a_flight_that_never_left_is_no_departure() -> None:
    rows = pd.DataFrame([flight(1, 1, 600, None, None), flight(1, 1, 700, 705, 5)])
    assert len(demo_flights.departures(rows)) == 1


def test_the_clock_of_every_real_departure_agrees_with_its_delay() -> None:
    every = demo_flights.table()
    left = every[every["dep_time"].notna()]
    clock = pd.to_datetime(left[["year", "month", "day"]]) + pd.to_timedelta(
        left["sched_dep_time"] // 100 * 60 + left["sched_dep_time"] % 100 + left["dep_delay"], unit="min"
    )
    assert (clock.dt.hour * 100 + clock.dt.minute == left["dep_time"] % 2400).all()


def test_records_are_in_the_order_of_departure() -> None:
    rows = pd.DataFrame([flight(1, 1, 600, 700, 60), flight(1, 1, 630, 631, 1)])
    batch = next(iter(demo_flights.records(demo_flights.departures(rows))))
    times = batch["timestamp"].to_pylist()
    assert times == sorted(times)
    value = json.loads(batch["value"][0].as_py())
    assert datetime.fromisoformat(value["scheduled_departure_time"]) == pd.Timestamp("2013-01-01T11:30", tz="UTC")
    assert batch["key"][0].as_py() == b"N1"


@pytest.mark.parametrize(
    ("row", "destination", "clock", "arrived"),
    [
        (flight(1, 1, 515, 517, 2), "LAX", 830, "2013-01-01T16:30"),  # eight hours behind UTC
        (flight(1, 1, 2300, 2310, 10), "LAX", 210, "2013-01-02T10:10"),  # past midnight
        (flight(7, 1, 515, 517, 2), "PHX", 720, "2013-07-01T14:20"),  # no summer time there
        (flight(7, 1, 515, 517, 2), "SJU", 900, "2013-07-01T13:00"),  # not in the table of airports
        (flight(3, 9, 2300, 2300, 0), "LAX", 300, "2013-03-10T10:00"),  # the hour from 2 is skipped there
        (flight(1, 1, 2000, 2000, 0), "ORD", 2400, "2013-01-02T06:00"),  # 24:00
    ],
)
def test_a_flight_arrives_when_the_clock_there_says_so(
    row: dict[str, object], destination: str, clock: float, arrived: str
) -> None:
    found = demo_flights.arrivals(pd.DataFrame([row | {"dest": destination, "arr_time": clock}])).iloc[0]
    assert found["arrival_time"] == pd.Timestamp(arrived, tz="UTC")


def test_every_real_arrival_is_after_its_time_in_the_air_and_a_while_on_the_ground() -> None:
    every = demo_flights.table()
    flew = every[every["air_time"].notna()]
    flew = flew.assign(flight=range(len(flew)))  # tells them apart
    both = demo_flights.departures(flew).merge(demo_flights.arrivals(flew), on="flight", validate="one_to_one")
    minutes = (both["arrival_time"] - both["departure_time"]).dt.total_seconds() / 60
    on_the_ground = minutes - flew["air_time"].iloc[both["flight"]].to_numpy()
    assert len(both) == len(flew) and on_the_ground.between(1, 240).all()


def test_a_flight_that_never_landed_is_no_arrival_and_one_without_a_delay_has_null() -> None:
    rows = pd.DataFrame([flight(1, 1, 600, 600, 0) | {"arr_time": clock} for clock in (None, 830)])
    arrivals = demo_flights.arrivals(rows)
    [record] = next(iter(demo_flights.arrival_records(arrivals))).to_pylist()
    assert json.loads(record["value"])["delay_minutes"] is None
    assert record["timestamp"] == arrivals["arrival_time"].iloc[0] == pd.Timestamp("2013-01-01T16:30", tz="UTC")
    assert {**json.loads(record["value"]), "arrival_time": ""}.keys() == set(arrival.COLUMNS.names)
