"""The job file of docs/history.md gives each order the rate of its time, with the numbers worked out by hand."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import schemas
from jobs.log.archive import writer
from jobs.run import Run
from jobs.running.places import Places
from tests import delta
from tests.pages import blocks, load_module, page

START = datetime(2024, 5, 1, tzinfo=UTC)


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def append(places: Places, topic: str, rows: Sequence[tuple[str, dict[str, Any] | None]], time: datetime) -> None:
    records = {
        "key": pa.array([key.encode() for key, _ in rows], pa.binary()),
        "value": pa.array([None if row is None else json.dumps(row).encode() for _, row in rows], pa.binary()),
        "timestamp": pa.array([time] * len(rows), pa.timestamp("us", "UTC")),
    }
    writer.append(places.archive, topic, 2, [pa.RecordBatch.from_pydict(records)])


def rate(currency: str, euros: float, since: float) -> tuple[str, dict[str, Any]]:
    return currency, {"currency": currency, "euros": euros, "since": day(since).isoformat()}


def order(number: str, currency: str, placed: float) -> tuple[str, dict[str, Any]]:
    return number, {"number": number, "currency": currency, "placed_time": day(placed).isoformat(), "amount": 10}


def test_the_job_of_the_page(
    a_run: Callable[..., Run], places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, _, content in blocks(page("docs/history.md")):
        if name:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
    for name in ("rate", "order"):
        module = load_module(f"schemas.{name}", tmp_path / f"schemas/{name}.py")
        monkeypatch.setattr(schemas, name, module, raising=False)
    job = load_module("order_value", tmp_path / "jobs/order_value.py")
    append(places, "rates", [rate("USD", 0.9, 0), rate("USD", 0.8, 10)], day(10))
    orders = [order("a", "USD", 5), order("b", "USD", 10), order("c", "USD", 15), order("d", "CHF", 15)]
    append(places, "orders", orders, day(15))
    job.main(a_run())
    assert {row["number"]: row["euros"] for row in delta.rows(places.table("order_value_v1"))} == {
        "a": 0.9, "b": 0.8, "c": 0.8, "d": None
    }  # fmt: skip
    append(places, "rates", [rate("USD", 0.7, 12), rate("CHF", 1.0, 1), ("EUR", None)], day(16))
    job.main(a_run())
    found = {row["number"]: row for row in delta.rows(places.table("order_value_v1"))}
    assert {number: row["euros"] for number, row in found.items()} == {"a": 0.9, "b": 0.8, "c": 0.7, "d": 1.0}
    assert found["c"]["version_valid_from"] == day(12) and found["c"]["revision"] > found["b"]["revision"]
    rates = delta.rows(places.table("order_value_v1_history"))
    intervals = {row["euros"]: (row["valid_from"], row["valid_to"]) for row in rates if row["currency"] == "USD"}
    assert intervals == {0.9: (day(0), day(10)), 0.8: (day(10), day(12)), 0.7: (day(12), None)}
