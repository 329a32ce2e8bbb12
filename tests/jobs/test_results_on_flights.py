"""The three results over real departures around the night on which summer time began, against pandas."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pandas as pd
import pytest

from jobs import departure_delay, first_sighting, unique_aircraft
from jobs.admin import demo_flights
from jobs.log.archive import writer
from jobs.publishing import results
from jobs.run import Run
from schemas import departure
from tests.altered import altered

ZONE = "America/New_York"


@pytest.fixture(scope="module")
def departures() -> pd.DataFrame:
    """Some 4,400 departures of 8 to 12 March 2013."""
    every = demo_flights.table()
    return demo_flights.departures(every[(every["month"] == 3) & every["day"].between(8, 12)])


@pytest.fixture
def job_run(a_run: Callable[..., Run], departures: pd.DataFrame) -> Run:
    """A run in places whose log holds the departures."""
    run = a_run()
    writer.append(run.places.archive, departure.TOPIC, 4, demo_flights.records(departures))
    return run


def test_departure_delay_equals_pandas(job_run: Run, departures: pd.DataFrame) -> None:
    departure_delay.main(job_run)
    found = results.pandas(job_run.places, "departure_delay_v1")
    assert (found["revision"] == 1).all()

    local = departures["scheduled_time"].dt.tz_convert(ZONE)
    days = departures.assign(window_start=local.dt.normalize().dt.tz_convert("UTC"))
    hours = departures.assign(window_start=departures["scheduled_time"].dt.floor("h"))
    steps = departures["scheduled_time"].dt.floor("5min")
    hops = pd.concat([departures.assign(window_start=steps - timedelta(minutes=5 * step)) for step in range(12)])
    kinds = {"tumbling 1 hour": hours, "hopping 1 hour every 5 minutes": hops, f"day {ZONE}": days}
    for window, rows in kinds.items():
        expected = rows.groupby(["origin", "window_start"])["delay_minutes"].agg(["size", "mean", "min", "max"])
        of_kind = found[found["window"] == window].set_index(["origin", "window_start"]).sort_index()
        assert len(of_kind) == len(expected)
        side = of_kind.join(expected, how="inner")
        assert len(side) == len(expected)
        assert (side["departures"] == side["size"]).all()
        assert ((side["delay_minutes_mean"] - side["mean"]).abs() < 1e-9).all()
        assert (side["delay_minutes_min"] == side["min"]).all() and (side["delay_minutes_max"] == side["max"]).all()

    day = found[found["window"] == f"day {ZONE}"].drop_duplicates("window_start").set_index("window_start")
    lengths = (day["window_end"] - day.index) / timedelta(hours=1)
    assert lengths[pd.Timestamp("2013-03-10 05:00", tz="UTC")] == 23
    assert lengths[pd.Timestamp("2013-03-11 04:00", tz="UTC")] == 24


def test_unique_aircraft_are_exact_when_few_and_close_when_many(job_run: Run, departures: pd.DataFrame) -> None:
    unique_aircraft.main(job_run)
    found = results.pandas(job_run.places, "unique_aircraft_v1").set_index(["window", "origin", "window_start"])
    hours = departures.assign(start=departures["scheduled_time"].dt.floor("h"))
    exact = hours.groupby(["origin", "start"])["tail_number"].nunique()
    for (origin, start), count in exact.items():
        assert found.loc[("tumbling 1 hour", origin, start), "tail_number_estimate"] == count
    local = departures["scheduled_time"].dt.tz_convert(ZONE).dt.normalize().dt.tz_convert("UTC")
    for (origin, start), count in (
        departures.assign(start=local).groupby(["origin", "start"])["tail_number"].nunique().items()
    ):
        row = found.loc[(f"day {ZONE}", origin, start)]
        assert abs(row["tail_number_estimate"] - count) <= 4 * row["tail_number_standard_error"]
        assert row["lg_k"] == 12


def test_first_sighting_is_never_wrongly_no_and_seldom_wrongly_yes(
    job_run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a horizon of two days: five days of departures go beyond it."""
    shorter = replace(first_sighting.MEMBERSHIP, horizon="2 days")
    monkeypatch.setattr(first_sighting, "RESULT", altered(first_sighting.RESULT, membership=shorter))
    first_sighting.main(job_run)
    found = results.pandas(job_run.places, "first_sighting_v1").sort_values(["record_partition", "record_offset"])
    assert found["seen_before"].notna().all()
    met: dict[bytes, list[pd.Timestamp]] = {}
    again = forgotten = fresh = wrongly_yes = 0
    for key, moment, answer in zip(found["record_key"], found["event_time"], found["seen_before"], strict=True):
        times = met.setdefault(key, [])
        if any(time >= moment.floor("D") - timedelta(days=2) for time in times):
            again += 1
            assert answer, "a false negative"
        else:
            fresh, forgotten, wrongly_yes = fresh + 1, forgotten + bool(times), wrongly_yes + bool(answer)
        times.append(moment)
    assert again > 1000 and fresh > 1000 and forgotten > 100
    assert wrongly_yes <= 0.01 * fresh
