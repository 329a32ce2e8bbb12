"""Two meters of one building. The second is offline from 08:15 on, and sends what it has measured at 09:30."""

from jobs.energy_by_site import RESULT
from jobs.testing.plugin import RunResult


def reading(clock: str, meter: str, energy_wh: int) -> dict[str, object]:
    return {"measured_time": f"2025-05-05T{clock}:00Z", "meter": meter, "site": "school", "energy_wh": energy_wh}


IN_TIME = [
    reading("08:00", "m1", 100),
    reading("08:00", "m2", 7),
    reading("08:15", "m1", 110),
    reading("08:30", "m1", 120),
    reading("09:00", "m1", 130),
    reading("09:15", "m1", 140),
]
OFFLINE = [reading("08:15", "m2", 8), reading("08:45", "m2", 9), reading("09:00", "m2", 10)]


def test_readings_that_come_late_are_in_the_sums(run_result: RunResult) -> None:
    rows = run_result(RESULT, IN_TIME + OFFLINE, cuts=1)
    found = [(row["window_start"].hour, row["readings"], row["energy_wh_sum"], row["meter_estimate"]) for row in rows]
    day, eight, nine = found
    assert day == (22, 9, 100 + 7 + 110 + 120 + 130 + 140 + 8 + 9 + 10, 2)  # midnight in Zurich is 22:00 UTC
    assert eight == (8, 6, 100 + 7 + 110 + 120 + 8 + 9, 2)
    assert nine == (9, 3, 130 + 140 + 10, 2)
    # Stream time is 09:15: 08:15 is an hour behind, and 08:45 just 30 minutes, which is not more than is allowed.
    assert [row["lateness_seconds"] for row in rows.stragglers] == [60 * 60]
