"""Panes that are read in pieces come to the same as all at once, and are not kept if they are too many."""

import random
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.answers.windows import Tumbling
from jobs.facts.panes import Panes
from jobs.publishing import pane_cache
from jobs.publishing.pane_cache import PaneCache
from tests.jobs.keeping import readings

RESULT = replace(readings.PANES, panes=Panes("1 minute", ("site",)), windows=(Tumbling("10 minutes"),))
START = datetime(2024, 5, 1, 8, tzinfo=UTC)
COLUMNS = pa.schema(
    [
        ("pane_start", pa.timestamp("us", "UTC")),
        ("site", pa.string()),
        ("records", pa.int64()),
        ("sequence", pa.int64()),
    ]
)


def fill(path: Path) -> list[dict[str, Any]]:
    """Thirty batches over an hour; what they wrote."""
    dice, written = random.Random(5), []
    for sequence in range(2, 32):
        minutes = [dice.randrange(2 * sequence) for _ in range(20)]
        rows = [
            {
                "pane_start": START + timedelta(minutes=minute),
                "site": dice.choice(["a", "b", None]),
                "records": minute + 1,
            }
            for minute in minutes
        ]
        written += [row | {"sequence": sequence} for row in rows]
        write_deltalake(path, pa.Table.from_pylist(written[-len(rows) :], schema=COLUMNS), mode="append")
    return written


@pytest.mark.parametrize("at_once", [1, 7, 100_000])
def test_parts_that_are_read_in_pieces_are_added_up(
    tmp_path: Path, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pane_cache, "AT_ONCE", at_once)
    written = fill(tmp_path / "panes")
    near = PaneCache(str(tmp_path / "panes"), RESULT).panes_to_publish(28)
    first = min(row["pane_start"] for row in written if row["sequence"] > 28) - timedelta(minutes=10)
    counts: dict[object, int] = defaultdict(int)
    newest: dict[object, int] = defaultdict(int)
    for row in written:
        if row["pane_start"] >= first:
            key = (row["pane_start"], row["site"])
            counts[key] += row["records"]
            newest[key] = max(newest[key], row["sequence"])
    assert near is not None
    rows = near.to_pylist()
    assert {(row["pane_start"], row["site"]): row["records"] for row in rows} == counts
    assert {(row["pane_start"], row["site"]): row["sequence"] for row in rows} == newest
    assert len(rows) == len(counts)
    assert [row["pane_start"] for row in rows] == sorted(row["pane_start"] for row in rows)


def test_too_many_panes_to_keep_are_left_to_spark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pane_cache, "AT_ONCE", 50)
    monkeypatch.setattr(pane_cache, "MOST_BYTES", 100)
    fill(tmp_path / "panes")
    assert PaneCache(str(tmp_path / "panes"), RESULT).panes_to_publish(28) is None
