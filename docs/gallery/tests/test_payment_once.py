"""Three payments in six messages: one is told twice at once, one again within the week, and one nine days later."""

from jobs.payment_once import RESULT
from jobs.testing.plugin import RunResult

MESSAGES = [
    # day, payment, cents, was it told in the week before?
    ("01", "p1", 500, False),
    ("01", "p1", 500, True),
    ("01", "p2", 700, False),
    ("06", "p2", 700, True),
    ("07", "p3", 900, False),
    ("10", "p1", 500, False),
]


def test_each_payment_is_told_once_a_week(run_result: RunResult) -> None:
    records = [
        {"paid_time": f"2025-05-{day}T12:00:00Z", "payment": payment, "amount_cents": cents}
        for day, payment, cents, _ in MESSAGES
    ]
    rows = run_result(RESULT, records)
    assert rows.select("payment", "seen_before") == [(payment, told) for _, payment, _, told in MESSAGES]
    assert sum(row["amount_cents"] for row in rows if not row["seen_before"]) == 500 + 700 + 900 + 500
