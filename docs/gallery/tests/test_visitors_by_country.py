"""Two days on either side of a midnight in Berlin, when it is 22:00 in UTC; pandas counts the same views."""

from zoneinfo import ZoneInfo

import pandas as pd

from jobs.testing.plugin import RunResult
from jobs.visitors_by_country import RESULT

BERLIN = ZoneInfo("Europe/Berlin")
VIEWS = [
    {"viewed_time": f"2025-05-{day:02} {hour:02}:59:59", "visitor": f"v{number % people}", "country": country}
    for country, people in (("CH", 9), ("DE", 4), (None, 1))
    for number, (day, hour) in enumerate([(5, 12), (5, 23), (6, 0)] * people)
]


def test_visitors_are_counted_once_a_day(run_result: RunResult) -> None:
    rows = run_result(RESULT, sorted(VIEWS, key=lambda view: view["viewed_time"]))
    views = pd.DataFrame(VIEWS).fillna("?")
    for kind, letters in (("day Europe/Berlin", 10), ("month Europe/Berlin", 7)):
        by = [views["viewed_time"].str[:letters], "country"]
        expected = views.groupby(by)["visitor"].agg(["size", "nunique"])
        found = {
            (f"{row['window_start'].astimezone(BERLIN):%Y-%m-%d}"[:letters], row["country"] or "?"): row
            for row in rows
            if row["window_kind"] == kind
        }
        assert {key: (row["views"], row["visitor_estimate"]) for key, row in found.items()} == {
            key: tuple(numbers) for key, numbers in zip(expected.index, expected.to_numpy().tolist(), strict=True)
        }
