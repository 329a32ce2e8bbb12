"""Three orders with several items, one with none, and two that cannot be read."""

from typing import Any

from jobs.revenue_by_product import RESULT
from jobs.testing.plugin import RunResult


def order(clock: str, channel: str, *items: tuple[str, int, int]) -> dict[str, Any]:
    return {
        "meta": {"placed_time": f"2025-05-05T{clock}:00Z", "channel": channel},
        "items": [dict(zip(("product", "quantity", "price_cents"), item, strict=True)) for item in items],
    }


ORDERS = [
    order("08:05", "web", ("boots", 1, 9000), ("laces", 2, 250)),
    order("08:50", "web", ("laces", 3, 250)),
    order("08:55", "phone", ("boots", 2, 8500)),
    order("08:56", "phone"),
    order("09:05", "web", ("boots", 1, 9000)),
]
BAD = [{"meta": {"channel": "web"}, "items": []}, order("09:10", "web") | {"items": "boots"}]


def test_each_item_of_an_order_is_counted(run_result: RunResult) -> None:
    rows = run_result(RESULT, ORDERS + BAD)
    found = [(row["window_start"].hour, row["channel"], row["product"], row["items"]) for row in rows]
    assert found == [(8, "phone", "boots", 1), (8, "web", "boots", 1), (8, "web", "laces", 2), (9, "web", "boots", 1)]
    assert rows.select("quantity_sum", "revenue_cents_sum") == [(2, 17_000), (1, 9000), (5, 1250), (1, 9000)]
    reasons = [(bad["reason"], bad["field"]) for bad in rows.quarantine]
    assert reasons == [("missing_field", "meta.placed_time"), ("wrong_type", "items")]
