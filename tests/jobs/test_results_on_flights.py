"""The results over real flights around the night on which summer time began, against pandas and DuckDB."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from jobs import (
    aircraft,
    aircraft_day,
    board,
    delay_by_week,
    delay_passed_on,
    departure_delay,
    departure_weather,
    first_sighting,
    ground_stop,
    route_watch,
    turnaround,
    unique_aircraft,
)
from jobs.admin import demo_flights
from jobs.log.archive import writer
from jobs.log.partitioner import partitions_of
from jobs.publishing import results, window_views
from jobs.run import Run
from schemas import arrival, departure
from tests.altered import altered

ZONE = "America/New_York"
PARTITIONS = 4


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    """Those of 8 to 12 March 2013."""
    every = demo_flights.table()
    return every[(every["month"] == 3) & every["day"].between(8, 12)]


@pytest.fixture(scope="module")
def departures(flights: pd.DataFrame) -> pd.DataFrame:
    """Some 4,400 departures."""
    return demo_flights.departures(flights)


@pytest.fixture
def job_run(a_run: Callable[..., Run], departures: pd.DataFrame) -> Run:
    """A run in places whose log holds the departures."""
    run = a_run()
    writer.append(run.places.archive, departure.TOPIC, PARTITIONS, demo_flights.records(departures))
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
        of_kind = found[found["window_kind"] == window].set_index(["origin", "window_start"]).sort_index()
        assert len(of_kind) == len(expected)
        side = of_kind.join(expected, how="inner")
        assert len(side) == len(expected)
        assert (side["departures"] == side["size"]).all()
        assert ((side["delay_minutes_mean"] - side["mean"]).abs() < 1e-9).all()
        assert (side["delay_minutes_min"] == side["min"]).all() and (side["delay_minutes_max"] == side["max"]).all()

    day = found[found["window_kind"] == f"day {ZONE}"].drop_duplicates("window_start").set_index("window_start")
    lengths = (day["window_end"] - day.index) / timedelta(hours=1)
    assert lengths[pd.Timestamp("2013-03-10 05:00", tz="UTC")] == 23
    assert lengths[pd.Timestamp("2013-03-11 04:00", tz="UTC")] == 24
    check_views_in_spark(job_run, departures)


def check_views_in_spark(job_run: Run, departures: pd.DataFrame) -> None:
    """Spark takes the statements of headrace views; dates are those of New York in a session of any other zone."""
    spark, times = job_run.spark, {"tumbling 1 hour": 1, "hopping 1 hour every 5 minutes": 12, f"day {ZONE}": 1}
    views = window_views.of_result(job_run.places, "departure_delay_v1")
    assert [view.label for view in views] == list(times)
    for view in views:
        for statement in view.statements("spark", view.table, job_run.places.table(view.table)):
            spark.sql(statement)
        [(counted,)] = spark.sql(f"select sum(departures) from {view.name}").collect()
        assert counted == times[view.label] * len(departures)
    spark.conf.set("spark.sql.session.timeZone", "Asia/Kolkata")
    try:
        rows = spark.sql(f"select window_date, sum(departures) as n from {views[-1].name} group by 1").collect()
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")
        for name in ("departure_delay_v1", *(view.name for view in views)):
            spark.sql(f"drop view {name}")
    expected = departures.groupby(departures["scheduled_time"].dt.tz_convert(ZONE).dt.date).size()
    assert {row.window_date: row.n for row in rows} == expected.to_dict()


def test_unique_aircraft_are_exact_when_few_and_close_when_many(job_run: Run, departures: pd.DataFrame) -> None:
    unique_aircraft.main(job_run)
    found = results.pandas(job_run.places, "unique_aircraft_v1").set_index(["window_kind", "origin", "window_start"])
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


def placed(events: pd.DataFrame, time: str) -> pd.DataFrame:
    """The events with their place in the log, and by how much each is behind the largest `time` before it."""
    keys = pa.array([tail.encode() for tail in events["tail_number"]], pa.binary())
    events = events.assign(partition=np.asarray(partitions_of(keys, PARTITIONS, 0)))
    by_partition = events.groupby("partition")
    largest = by_partition[time].cummax().groupby(events["partition"]).shift()
    return events.assign(
        offset=by_partition.cumcount(), behind=(largest - events[time]).fillna(timedelta(0)).clip(timedelta(0))
    )


def complete_time(events: pd.DataFrame, time: str, allowed: str) -> pd.Timestamp:
    """The least over all partitions of the largest `time`, less what is allowed."""
    return events.groupby("partition")[time].max().min() - pd.Timedelta(allowed)


def by_place(found: pd.DataFrame) -> pd.DataFrame:
    return found.set_index(["record_partition", "record_offset"]).sort_index()


def test_delay_by_week_equals_pandas(job_run: Run, departures: pd.DataFrame) -> None:
    delay_by_week.main(job_run)
    found = results.pandas(job_run.places, "delay_by_week_v1").set_index(["window_kind", "origin", "window_start"])
    midnight = departures["scheduled_time"].dt.tz_convert(ZONE).dt.tz_localize(None).dt.normalize()
    monday = midnight - pd.to_timedelta(midnight.dt.dayofweek, unit="D")
    kinds = {
        "day": (midnight, pd.DateOffset(days=1)),
        "week": (monday, pd.DateOffset(days=7)),
        "month": (midnight.dt.to_period("M").dt.start_time, pd.DateOffset(months=1)),
    }
    complete = complete_time(placed(departures, "scheduled_time"), "scheduled_time", delay_by_week.LATENESS)
    windows = 0
    for kind, (starts, length) in kinds.items():
        for (origin, begin), delays in departures.groupby(["origin", starts])["delay_minutes"]:
            start, end = (clock.tz_localize(ZONE).tz_convert("UTC") for clock in (begin, begin + length))
            row = found.loc[(f"{kind} {ZONE}", origin, start)]
            assert (row["departures"], row["window_end"]) == (len(delays), end)
            assert row["delay_minutes_mean"] == pytest.approx(delays.mean())
            for name, share in (("p50", 0.5), ("p95", 0.95)):
                exact = np.quantile(delays, share, method="inverted_cdf")
                assert row[f"delay_minutes_{name}"] == pytest.approx(exact, rel=0.01)
            assert row["due_time"] == end and row["final"] == (end <= complete)
            windows += 1
    assert len(found) == windows
    assert set(found["final"]) == {True, False}


def test_delay_passed_on_equals_duckdb(job_run: Run, departures: pd.DataFrame) -> None:
    delay_passed_on.main(job_run)
    found = by_place(results.pandas(job_run.places, "delay_passed_on_v1"))
    log = placed(departures, "scheduled_time")
    complete = complete_time(log, "scheduled_time", delay_passed_on.LATENESS)
    late = pd.Timedelta(delay_passed_on.LATENESS)
    log = log.assign(straggler=log["behind"] > late)
    rows = duckdb.execute(
        """
        with ordered as (
            select *, lead(delay_minutes) over flights as next_delay, lead(scheduled_time) over flights as next_time,
                lead(straggler) over flights as next_straggler
            from log window flights as (partition by tail_number order by scheduled_time, "offset")
        ), near as (
            select *, next_time <= scheduled_time + interval 12 hours as has_next from ordered where delay_minutes >= 15
        )
        select "partition", "offset", delay_minutes, scheduled_time, case
            when has_next and next_delay >= 15 and next_straggler then 'passed_on_corrected'
            when has_next and next_delay >= 15 then 'passed_on'
            when has_next then 'broken' else 'none' end as outcome,
            case when has_next and next_delay >= 15 then next_delay end as next_delay
        from near
        """
    ).df()
    is_due = rows["scheduled_time"].dt.tz_convert("UTC") + timedelta(hours=12) < complete
    none = is_due.map({True: "not_again", False: "open"})
    expected = rows.assign(outcome=rows["outcome"].where(rows["outcome"] != "none", none))
    expected = expected.set_index(["partition", "offset"]).sort_index()
    assert found["outcome"].tolist() == expected["outcome"].tolist()
    assert found.index.tolist() == expected.index.tolist()
    assert found["delay_minutes"].tolist() == expected["delay_minutes"].tolist()
    assert found["next_delay_minutes"].fillna(-1).tolist() == expected["next_delay"].fillna(-1).tolist()
    assert set(found["outcome"]) == {"passed_on", "passed_on_corrected", "broken", "not_again", "open"}


def test_turnaround_equals_duckdb(job_run: Run, flights: pd.DataFrame, departures: pd.DataFrame) -> None:
    arrivals = demo_flights.arrivals(flights)
    writer.append(job_run.places.archive, arrival.TOPIC, PARTITIONS, demo_flights.arrival_records(arrivals))
    turnaround.main(job_run)
    found = by_place(results.pandas(job_run.places, "turnaround_v1"))
    landed, gone = placed(arrivals, "arrival_time"), placed(departures, "scheduled_time")
    complete = min(
        complete_time(landed, "arrival_time", turnaround.LATENESS),
        complete_time(gone, "scheduled_time", turnaround.LATENESS),
    )
    assert (landed["behind"] == timedelta(0)).all(), "an arrival is never late"
    rows = duckdb.execute(
        f"""
        with firsts as (
            select *, behind > interval '{turnaround.LATENESS}' as straggler from gone
            qualify row_number() over (partition by tail_number, scheduled_time order by "offset") = 1
        )
        select a."partition", a."offset", a.arrival_time, d.scheduled_time as next_time, d.origin as next_origin,
            d.straggler, d.scheduled_time <= a.arrival_time + interval 1 day as is_back
        from landed a asof left join firsts d
            on a.tail_number = d.tail_number and a.arrival_time <= d.scheduled_time
        order by 1, 2
        """
    ).df()
    is_back = rows["is_back"].fillna(False).astype(bool)
    is_due = rows["arrival_time"].dt.tz_convert("UTC") + timedelta(days=1) < complete
    outcomes = np.select(
        [is_back & rows["straggler"].fillna(False).astype(bool), is_back, is_due],
        ["back_corrected", "back", "not_back"],
        "open",
    )
    assert found.index.tolist() == list(zip(rows["partition"], rows["offset"], strict=True))
    assert found["outcome"].tolist() == outcomes.tolist()
    assert found["next_origin"].fillna("").tolist() == rows["next_origin"].where(is_back, "").tolist()
    next_times = rows["next_time"].where(is_back).dt.tz_convert("UTC")
    assert (found["next_time"].dt.tz_convert("UTC").reset_index(drop=True).dropna() == next_times.dropna()).all()
    assert set(found["outcome"]) == {"back", "back_corrected", "not_back", "open"}


def test_ground_stop_equals_duckdb(job_run: Run, departures: pd.DataFrame) -> None:
    ground_stop.main(job_run)
    found = by_place(results.pandas(job_run.places, "ground_stop_v1"))
    log = placed(departures, "scheduled_time")
    rows = duckdb.execute(
        """
        select * from (
            select "partition", "offset", scheduled_time, count(*) over pile as very_late,
                count(distinct carrier) over pile as airlines, avg(delay_minutes) over pile as mean,
                max(delay_minutes) over pile as greatest
            from log where delay_minutes > 60
            window pile as (
                partition by origin order by scheduled_time
                range between interval 30 minutes preceding and current row
            )
        ) where very_late >= 3 order by 1, 2
        """
    ).df()
    assert len(rows) > 50
    assert found.index.tolist() == list(zip(rows["partition"], rows["offset"], strict=True))
    assert found["very_late"].tolist() == rows["very_late"].tolist()
    assert found["carrier_unique"].tolist() == rows["airlines"].tolist()
    assert found["delay_minutes_mean"].tolist() == pytest.approx(rows["mean"].tolist())
    assert found["delay_minutes_max"].tolist() == rows["greatest"].tolist()
    complete = complete_time(log, "scheduled_time", ground_stop.LATENESS)
    assert found["final"].tolist() == (rows["scheduled_time"].dt.tz_convert("UTC") < complete).tolist()


def test_aircraft_day_equals_pandas(job_run: Run, departures: pd.DataFrame) -> None:
    aircraft_day.main(job_run)
    found = results.pandas(job_run.places, "aircraft_day_v1").sort_values(["tail_number", "session_start"])
    log = placed(departures, "scheduled_time").sort_values(["tail_number", "scheduled_time"])
    log = log.assign(tail_number=log["tail_number"].fillna(""))
    new = (log["tail_number"] != log["tail_number"].shift()) | (log["scheduled_time"].diff() >= timedelta(hours=6))
    days = log.groupby(new.cumsum()).agg(
        tail_number=("tail_number", "first"),
        start=("scheduled_time", "min"),
        end=("scheduled_time", "max"),
        departures=("offset", "size"),
        mean=("delay_minutes", "mean"),
        greatest=("delay_minutes", "max"),
        origins=("origin", "nunique"),
    )
    days = days.sort_values(["tail_number", "start"])
    found = found.assign(tail_number=found["tail_number"].fillna("")).sort_values(["tail_number", "session_start"])
    assert found["tail_number"].tolist() == days["tail_number"].tolist()
    assert (found["session_start"].to_numpy() == days["start"].dt.tz_convert("UTC").to_numpy()).all()
    assert (found["session_end"].to_numpy() == days["end"].dt.tz_convert("UTC").to_numpy()).all()
    assert found["departures"].tolist() == days["departures"].tolist()
    assert found["delay_minutes_mean"].tolist() == pytest.approx(days["mean"].tolist(), rel=1e-9)
    assert found["delay_minutes_max"].tolist() == days["greatest"].tolist()
    assert found["origin_estimate"].tolist() == days["origins"].tolist()
    complete = complete_time(log, "scheduled_time", aircraft_day.LATENESS)
    due = days["end"].dt.tz_convert("UTC") + timedelta(hours=6)
    assert found["final"].tolist() == (due <= complete).tolist()
    assert set(found["final"]) == {True, False}


def test_departure_weather_equals_pandas_and_follows_a_correction(job_run: Run, departures: pd.DataFrame) -> None:
    observed = demo_flights.weather_records()
    writer.append(job_run.places.archive, "weather", 2, [observed])
    departure_weather.main(job_run)
    found = results.pandas(job_run.places, "departure_weather_v1")
    rows = pd.DataFrame(map(json.loads, observed["value"].to_pylist()))
    rows["observed_time"] = pd.to_datetime(rows["observed_time"]).astype("datetime64[us, UTC]")
    columns = list(departure_weather.WITH_WEATHER.take)
    expected = pd.merge_asof(
        departures.assign(event_time=departures["scheduled_time"].astype("datetime64[us, UTC]")).sort_values(
            "event_time", kind="stable"
        ),
        rows.drop_duplicates(["origin", "observed_time"], keep="last").sort_values("observed_time", kind="stable"),
        left_on="event_time",
        right_on="observed_time",
        by="origin",
    )
    place = ["event_time", "origin", "carrier", "flight"]
    pd.testing.assert_frame_equal(
        found.sort_values(place)[[*place, *columns]].reset_index(drop=True),
        expected.sort_values(place)[[*place, *columns]].reset_index(drop=True),
        check_dtype=False,
    )
    hour = pd.Timestamp("2013-03-10 15:00", tz="UTC")
    correction = {"origin": "JFK", "observed_time": "2013-03-10T15:00:00Z", "temperature_fahrenheit": -40.0}
    records = {"key": [b"JFK"], "value": [json.dumps(correction).encode()], "timestamp": [hour + timedelta(days=3)]}
    writer.append(job_run.places.archive, "weather", 2, [pa.RecordBatch.from_pydict(records)])
    departure_weather.main(job_run)
    now = results.pandas(job_run.places, "departure_weather_v1")
    restated = now[now["temperature_fahrenheit"] == -40.0]
    of_hour = (expected["origin"] == "JFK") & (expected["observed_time"] == hour)
    assert len(restated) == of_hour.sum() > 5
    assert (restated["revision"] > 1).all() and restated["rain_inches"].isna().all()


def test_route_watch_equals_duckdb_and_follows_a_rule_that_is_changed(job_run: Run, departures: pd.DataFrame) -> None:
    """Rules that can be used are SQL of DuckDB, too. One is changed on the tenth, as of then."""
    place, changed = ["event_time", "origin", "carrier", "flight"], pd.Timestamp("2013-03-10 12:00", tz="UTC")
    writer.append(job_run.places.archive, "watches", 2, [demo_flights.watch_records()])
    rules = {name: text for name, _, text in demo_flights.WATCHES if name != "forgotten_bracket"}
    flown = departures.assign(event_time=departures["scheduled_time"].astype("datetime64[us, UTC]"))

    def met(rule: str, rows: pd.DataFrame) -> pd.DataFrame:
        with duckdb.connect() as connection:
            return connection.register("rows", rows).execute(f"select * from rows where {rule}").df()[place]

    def check(expected: dict[str, pd.DataFrame]) -> None:
        found = results.pandas(job_run.places, "route_watch_v1").sort_values(place)
        assert set(found["watch"]) == set(expected)
        for watch, rows in found.groupby("watch"):
            due = expected[str(watch)].sort_values(place).reset_index(drop=True)
            assert len(due) > 5
            pd.testing.assert_frame_equal(rows[place].reset_index(drop=True), due, check_dtype=False)
        known = results.pandas(job_run.places, "route_watch_v1_rules")
        assert known["hits"].sum() == len(found)
        assert set(found["final"]) == {True, False}
        assert known[known["fault"].notna()]["watch"].tolist() == ["forgotten_bracket"]

    route_watch.main(job_run)
    check({name: met(text, flown) for name, text in rules.items()})
    new = {"watch": "west_coast", "owner": "marketing", "predicate": "destination = 'LAX'"}
    records = {"key": [b"west_coast"], "value": [json.dumps(new).encode()], "timestamp": [changed]}
    writer.append(job_run.places.archive, "watches", 2, [pa.RecordBatch.from_pydict(records)])
    route_watch.main(job_run)
    west = pd.concat(
        [
            met(rules["west_coast"], flown[flown["event_time"] < changed]),
            met(new["predicate"], flown[flown["event_time"] >= changed]),
        ]
    )
    check({name: met(text, flown) for name, text in rules.items()} | {"west_coast": west})


def test_aircraft_are_as_they_are_now_and_as_they_were(a_run: Callable[..., Run]) -> None:
    run, rows = a_run(), demo_flights.aircraft_records()
    writer.append(run.places.archive, "aircraft", 2, [rows])
    before = {row["tail_number"]: row for row in map(json.loads, rows["value"].to_pylist())}
    refitted, sold = list(before)[:2]
    changed = before[refitted] | {"seats": 12}
    day = pd.Timestamp("2013-07-01", tz="UTC")
    records = {"key": [refitted.encode(), sold.encode()], "value": [json.dumps(changed).encode(), None]}
    writer.append(run.places.archive, "aircraft", 2, [pa.RecordBatch.from_pydict(records | {"timestamp": [day] * 2})])
    aircraft.main(run)
    found = {
        row["tail_number"]: row
        for row in results.query(run.places, 'select * from "aircraft_v1"', "aircraft_v1").to_pylist()
    }
    expected = before | {refitted: changed}
    del expected[sold]
    assert {tail: {name: row[name] for name in changed} for tail, row in found.items()} == expected
    history = results.query(run.places, 'select * from "aircraft_v1_history"', "aircraft_v1_history").to_pandas()
    assert len(history) == len(before) + 1
    seats = history[history["tail_number"] == refitted].set_index("seats")
    assert seats.loc[before[refitted]["seats"], "valid_to"] == seats.loc[12, "valid_from"] == day
    assert history[history["tail_number"] == sold]["valid_to"].tolist() == [day]


def next_ten(flights: pd.DataFrame, now: pd.Timestamp) -> pd.DataFrame:
    """By airport the flights that have not left by then, nor should have if they were cancelled."""
    clock = pd.to_datetime(flights[["year", "month", "day"]]) + pd.to_timedelta(
        flights["sched_dep_time"] // 100 * 60 + flights["sched_dep_time"] % 100, unit="min"
    )
    scheduled = clock.dt.tz_localize(ZONE).dt.tz_convert("UTC")
    left = scheduled + pd.to_timedelta(flights["dep_delay"].fillna(0), unit="min")
    name = flights["carrier"] + " " + flights["flight"].astype(str) + clock.dt.strftime(" %Y-%m-%d")
    waiting = flights.assign(scheduled_time=scheduled, flight_day=name)[left > now]
    waiting = waiting.sort_values(["scheduled_time", "flight_day"])
    return waiting.groupby("origin").head(10).sort_values(["origin", "scheduled_time", "flight_day"])


def test_the_board_has_the_next_departures_with_their_aircraft(a_run: Callable[..., Run]) -> None:
    run, every = a_run(), demo_flights.table()
    flights = every[(every["month"] == 12) & (every["day"] == 31)]
    aircraft_rows, weather_rows = demo_flights.aircraft_records(), demo_flights.weather_records()
    evening = pd.Timestamp("2014-01-01 01:00", tz="UTC")
    scheduled = demo_flights.schedule_records(flights, evening - timedelta(hours=2))
    later = demo_flights.schedule_records(flights, evening)
    for topic, rows in (("aircraft", aircraft_rows), ("weather", weather_rows), ("scheduled", scheduled)):
        writer.append(run.places.archive, topic, 2, [rows])
    planes = pd.DataFrame(map(json.loads, aircraft_rows["value"].to_pylist())).set_index("tail_number")
    sights = pd.DataFrame(map(json.loads, weather_rows["value"].to_pylist())).groupby("origin").last()
    for now, more in ((evening - timedelta(hours=2), None), (evening, later.slice(scheduled.num_rows))):
        if more is not None:
            writer.append(run.places.archive, "scheduled", 2, [more])
        board.main(run)
        found = results.pandas(run.places, "board_v1").sort_values(["origin", "place"])
        expected = next_ten(flights, now)
        assert len(expected) > 10
        assert found["flight_day"].tolist() == expected["flight_day"].tolist()
        assert found["place"].tolist() == (expected.groupby("origin").cumcount() + 1).tolist()
        models = expected["tailnum"].map(planes["model"])
        assert found["model"].fillna("").tolist() == models.fillna("").tolist() and models.notna().any()
        assert found["visibility_miles"].tolist() == expected["origin"].map(sights["visibility_miles"]).tolist()
