"""Panes that are read in pieces come to the same as all at once, and are not kept in memory if they are too many."""

import itertools
import random
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, write_deltalake

from jobs.answers.windows import Tumbling
from jobs.facts.panes import Panes
from jobs.publishing import near_panes, pane_cache, stored_panes
from jobs.publishing.near_panes import NearPanes, TooMuch
from jobs.publishing.pane_cache import PaneCache
from tests.altered import altered
from tests.jobs.keeping import readings

RESULT = altered(readings.PANES, panes=Panes("1 minute", ("site",)), windows=(Tumbling("10 minutes"),))
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


def expected(written: list[dict[str, Any]], first: datetime) -> dict[object, tuple[int, int]]:
    """Records of each pane from `first` on, and its newest sequence."""
    parts = defaultdict(list)
    for row in written:
        if row["pane_start"] >= first:
            parts[(row["pane_start"], row["site"])].append(row)
    return {key: (sum(r["records"] for r in rows), max(r["sequence"] for r in rows)) for key, rows in parts.items()}


def read(near: NearPanes | None) -> list[dict[str, Any]]:
    """All its panes; each piece is later than the one before."""
    assert near is not None
    pieces = list(near.read(None))
    for before, piece in itertools.pairwise(pieces):
        assert pc.max(before["pane_start"]).as_py() <= pc.min(piece["pane_start"]).as_py()
    keys = [row for piece in near.read(("pane_start", "site")) for row in piece.to_pylist()]
    rows = [row for piece in pieces for row in piece.to_pylist()]
    names = ("pane_start", "site")
    assert Counter(tuple(row[name] for name in names) for row in keys) == Counter(
        tuple(row[name] for name in names) for row in rows
    )
    assert len(rows) <= near.most_rows
    assert all(near.first <= row["pane_start"] <= near.last for row in rows)
    return rows


@pytest.mark.parametrize(("piece_rows", "piece_bytes"), [(60, 2**20), (100_000, 6_000), (100_000, 2**20)])
def test_panes_come_in_pieces_out_of_the_table_and_then_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_rows: int, piece_bytes: int
) -> None:
    monkeypatch.setattr(near_panes, "PIECE_ROWS", piece_rows)
    monkeypatch.setattr(near_panes, "PIECE_BYTES", piece_bytes)
    written, opened = fill(tmp_path / "panes"), [0]

    def table(path: str) -> DeltaTable:
        opened[0] += 1
        return DeltaTable(path)

    monkeypatch.setattr(stored_panes, "DeltaTable", table)
    cache = PaneCache(str(tmp_path / "panes"), RESULT)
    near = cache.near_panes(28)
    new = [row["pane_start"] for row in written if row["sequence"] > 28]
    assert near is not None
    assert (near.first_new, near.last_new) == (min(new), max(new))
    assert near.first == min(new) - timedelta(minutes=min(new).minute % 10)
    assert expected(read(near), near.first) == expected(written, near.first)
    pieces = len(list(near.read(None)))
    assert (pieces > 3) == (piece_rows == 60 or piece_bytes == 6_000)

    cache.trim()
    more = [{"pane_start": max(new), "site": "b", "records": 5, "sequence": 32}]
    more += [
        {"pane_start": max(new) - timedelta(minutes=9), "site": site, "records": 7, "sequence": 32} for site in "ac"
    ]
    cache.record_append(pa.Table.from_pylist(more, schema=COLUMNS))
    for _ in range(2):
        near = cache.near_panes(31)
        assert near is not None
        assert expected(read(near), near.first) == expected([*written, *more], near.first)
        assert opened == [1]
        cache.trim()
    rows = read(cache.near_panes(31))
    assert len(rows) == len(expected([*written, *more], near.first)), "each pane is in memory once"


def test_what_is_too_much_to_keep_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pane_cache, "MOST_BYTES", 100)
    written = fill(tmp_path / "panes")
    cache = PaneCache(str(tmp_path / "panes"), RESULT)
    for _ in range(2):
        near = cache.near_panes(28)
        assert near is not None
        assert expected(read(near), near.first) == expected(written, near.first)
        cache.trim()
        cache.record_append(pa.Table.from_pylist(written[:1], schema=COLUMNS))  # not in the table: must not be seen


def test_nothing_new_are_no_panes(tmp_path: Path) -> None:
    fill(tmp_path / "panes")
    assert PaneCache(str(tmp_path / "panes"), RESULT).near_panes(31) is None
    DeltaTable.create(tmp_path / "empty", COLUMNS)
    assert stored_panes.near(str(tmp_path / "empty"), RESULT.windows, 1) is None


def test_files_that_hold_all_times_are_not_read_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten files over the same hour: with a pane to a piece each file would be read sixty times."""
    path = tmp_path / "panes"
    for sequence in range(2, 12):
        rows = [
            {"pane_start": START + timedelta(minutes=minute), "site": "a", "records": 1, "sequence": sequence}
            for minute in range(60)
        ]
        write_deltalake(path, pa.Table.from_pylist(rows, schema=COLUMNS), mode="append")
    monkeypatch.setattr(near_panes, "PIECE_ROWS", 20)
    pieces: dict[int, int] = {}
    for most in (5_000, 2_500, 1_250):
        monkeypatch.setattr(stored_panes, "MOST_PANES", most)
        near = stored_panes.near(str(path), RESULT.windows, 1)
        assert near is not None
        assert sum(row["records"] for row in read(near)) == 600
        pieces[most] = len(list(near.read(None)))
    assert pieces[5_000] == 30
    assert pieces[5_000] > pieces[2_500] > pieces[1_250] >= 7
    monkeypatch.setattr(stored_panes, "MOST_PANES", 600)
    with pytest.raises(TooMuch):
        stored_panes.near(str(path), RESULT.windows, 1)
