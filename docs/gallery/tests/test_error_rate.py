"""Forty requests of one service, three of which fail, and one of another; and one whose status is a word."""

import pytest

from jobs.error_rate import RESULT
from jobs.testing.plugin import RunResult

START_MS = 1_746_432_000_000  # 2025-05-05T08:00:00Z
FAILED = {7: 500, 8: 503, 30: 502, 31: 499}  # the last one is the caller's fault


def test_the_rate_of_errors_by_five_minutes(run_result: RunResult) -> None:
    requests = [
        {"answered_ms": START_MS + 10_000 * n, "service": "search", "status": FAILED.get(n, 200), "duration_ms": n + 1}
        for n in range(40)  # of 30 in the first five minutes two fail, of the other 10 one
    ]
    cart = {"answered_ms": START_MS + 299_999, "service": "cart", "status": 500, "duration_ms": None}
    rows = run_result(RESULT, [*requests, cart, cart | {"status": "ok"}])
    assert rows.select("service", "requests", "is_error_count") == [
        ("cart", 1, 1),
        ("search", 30, 2),
        ("search", 10, 1),
    ]
    # The smallest duration that 95 of 100 do not exceed: the 29th of 1 to 30, the 10th of 31 to 40; within 1 %.
    assert [row["duration_ms_p95"] for row in rows] == [None, pytest.approx(29, rel=0.01), pytest.approx(40, rel=0.01)]
    assert [(bad["reason"], bad["field"]) for bad in rows.quarantine] == [("wrong_type", "status")]
