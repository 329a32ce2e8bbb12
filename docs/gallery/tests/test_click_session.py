"""Visits of two people: silences of 29 and of 31 minutes, and a click that comes late and joins two visits."""

from datetime import UTC, datetime

from jobs.click_session import RESULT
from jobs.testing.plugin import RunResult


def click(clock: str, visitor: str, page: str) -> dict[str, str]:
    return {"clicked_time": f"2025-05-05T{clock}:00Z", "visitor": visitor, "page": page}


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2025-05-05T{clock}:00").replace(tzinfo=UTC)


CLICKS = [
    click("08:00", "ada", "/"),
    click("08:29", "ada", "/boots"),
    click("08:30", "bob", "/"),
    click("09:00", "ada", "/"),  # 31 minutes later: another visit
    click("09:10", "bob", "/hats"),
]
COLUMNS = ("visitor", "session_start", "session_end", "clicks", "page_estimate")


def test_a_silence_of_half_an_hour_ends_a_visit_and_a_late_click_joins_two(run_result: RunResult) -> None:
    rows = run_result(RESULT, CLICKS)
    assert rows.select(*COLUMNS) == [
        ("ada", at("08:00"), at("08:29"), 2, 2),
        ("ada", at("09:00"), at("09:00"), 1, 1),
        ("bob", at("08:30"), at("08:30"), 1, 1),
        ("bob", at("09:10"), at("09:10"), 1, 1),
    ]
    joined = run_result(RESULT, [*CLICKS, click("08:45", "ada", "/hats")])
    assert joined.select(*COLUMNS) == [("ada", at("08:00"), at("09:00"), 4, 3), *rows.select(*COLUMNS)[2:]]
