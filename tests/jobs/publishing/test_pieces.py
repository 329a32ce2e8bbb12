"""Windows that are published in pieces are those of plain Python, in one commit, and memory does not grow with them."""

import random
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import LongType, StringType, StructType, TimestampType

from jobs.answers.result import Result
from jobs.answers.windows import CalendarDay, CalendarMonth, Hopping, Tumbling, Window, merging
from jobs.facts import aggregation
from jobs.facts.panes import Panes
from jobs.lake import commits, delta_tables
from jobs.publishing import in_process_upsert, near_panes, stored_panes
from jobs.publishing.finality import Finality
from jobs.publishing.near_panes import Source
from sketches import hyperloglog
from tests.altered import altered
from tests.jobs.keeping import readings

KINDS: tuple[Window, ...] = (
    Tumbling("30 minutes", uniques=False),
    Hopping("2 hours", "30 minutes"),
    CalendarDay("Europe/Berlin"),
    CalendarMonth("Europe/Berlin", uniques=False),
)
KEPT = Panes("10 minutes", ("site",), uniques=("device",), sums=("amount",))
RESULT: Result = altered(readings.PANES, panes=KEPT, windows=KINDS)
EVENTS = StructType().add("site", StringType()).add("device", LongType()).add("amount", LongType())
PARTIALS = aggregation.output(EVENTS, KEPT)
COLUMNS = to_arrow_schema(PARTIALS, timezone="UTC").append(pa.field("sequence", pa.int64()))
BEGIN = datetime(2024, 3, 29, 20, tzinfo=UTC)  # clocks in Berlin change on the 31st, at 1 o'clock UTC
MIDNIGHTS = [datetime(2024, 3, 28 + day, 23, tzinfo=UTC) for day in (0, 1, 2)] + [
    datetime(2024, 3, 31, 22, tzinfo=UTC) + timedelta(days=day) for day in range(5)
]


def holding(window: Window, moment: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Start and end of each window that holds the pane, told from the clock."""
    if isinstance(window, CalendarDay):
        begins = max(midnight for midnight in MIDNIGHTS if midnight <= moment)
        yield begins, MIDNIGHTS[MIDNIGHTS.index(begins) + 1]
    elif isinstance(window, CalendarMonth):
        march, april = datetime(2024, 2, 29, 23, tzinfo=UTC), datetime(2024, 3, 31, 22, tzinfo=UTC)
        yield (march, april) if moment < april else (april, datetime(2024, 4, 30, 22, tzinfo=UTC))
    else:
        hop = timedelta(minutes=30)
        size = 4 * hop if isinstance(window, Hopping) else hop
        start = moment - (moment - datetime(1970, 1, 1, tzinfo=UTC)) % hop
        while start + size > moment:
            yield start, start + size
            start -= hop


def batch(dice: random.Random, sequence: int, hours: tuple[int, int]) -> list[dict[str, Any]]:
    rows = []
    for _ in range(60):
        moment = BEGIN + timedelta(minutes=10 * dice.randrange(6 * hours[0], 6 * hours[1]))
        devices = dice.sample(range(100), dice.randrange(4))
        amounts = [dice.choice([1, -7, 2**61, 2**61 - 5]) for _ in range(dice.randrange(1, 4))]
        rows.append(
            {
                "pane_start": moment,
                "site": dice.choice(["a", "b", None]),
                "records": dice.randrange(1, 5),
                "devices": devices,
                "device_sketch": hyperloglog.sketch_of(devices, 12),
                "amount_count": len(amounts),
                "amount_sum": Decimal(sum(amounts)),
                "sequence": sequence,
            }
        )
    return rows


def expected(batches: list[list[dict[str, Any]]], kinds: tuple[Window, ...]) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Of each window: records, sum, distinct devices, and in how many batches it got panes."""
    held = defaultdict(list)
    for rows in batches:
        for row in rows:
            for window in kinds:
                for span in holding(window, row["pane_start"]):
                    held[(window.name, *span, row["site"])].append((row, window))
    found = {}
    for key, panes in held.items():
        rows, window = [row for row, _ in panes], panes[0][1]
        devices = len({device for row in rows for device in row["devices"]}) if window.uniques else None
        sequences = {row["sequence"] for row in rows}
        records, amount = (sum(row[name] for row in rows) for name in ("records", "amount_sum"))
        found[key] = (records, amount, devices, len(sequences))
    return found


def create(folder: Path) -> None:
    columns = merging.output(PARTIALS, KEPT).add("revision", LongType()).add("updated_time", TimestampType())
    delta_tables.create(str(folder / "windows"), columns, (), "Windows.")
    DeltaTable.create(folder / "panes", COLUMNS)


def append(folder: Path, rows: list[dict[str, Any]]) -> None:
    plain = [{name: row[name] for name in COLUMNS.names} for row in rows]
    write_deltalake(folder / "panes", pa.Table.from_pylist(plain, schema=COLUMNS), mode="append")


COMPLETE = {number: BEGIN + timedelta(hours=hours) if hours else None for number, hours in
            enumerate((0, 0, 0, 10, 25, 20, 40, 40, 95))}  # fmt: skip
"""Complete time after each publishing; once it goes back."""


def publish(folder: Path, result: Result, since: int, sequence: int, has_new: bool = True) -> None:
    near = stored_panes.near(str(folder / "panes"), result.windows, since)
    commit = commits.Commit("j", "g", sequence, "windows", {}, {})
    finality = Finality(COMPLETE[since], COMPLETE[sequence if has_new else since])
    in_process_upsert.upsert_windows(
        str(folder / "windows"), result, [Source(result.windows, near)], since, finality, commit
    )
    rows = pa.table(
        QueryBuilder()
        .register("it", DeltaTable(folder / "windows"))
        .execute("select window_end, due_time, final from it")
        .read_all()
    ).to_pylist()
    assert all(row["due_time"] == row["window_end"] for row in rows)
    assert all(row["final"] == (row["window_end"] <= (finality.now or BEGIN)) for row in rows)


def published(folder: Path) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    query = QueryBuilder().register("it", DeltaTable(folder / "windows")).execute("select * from it")
    rows = pa.table(query.read_all()).to_pylist()
    keys, names = (
        ("window_kind", "window_start", "window_end", "site"),
        ("records", "amount_sum", "device_estimate", "revision"),
    )
    by_key = {tuple(row[key] for key in keys): tuple(row[name] for name in names) for row in rows}
    assert len(by_key) == len(rows)
    return by_key


HOURS = [(0, 30), (20, 60), (2, 4), (50, 90), (0, 90)]
"""Of five batches: the third and the last correct windows that were published before."""


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("piece_rows", [8, 40, 100_000])
def test_windows_are_those_of_plain_python_however_small_the_pieces_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, piece_rows: int
) -> None:
    monkeypatch.setattr(near_panes, "PIECE_ROWS", piece_rows)
    create(tmp_path)
    dice, batches = random.Random(seed), []
    publish(tmp_path, RESULT, 1, 2)
    assert published(tmp_path) == {}
    for sequence, hours in enumerate(HOURS, 2):
        batches.append(batch(dice, sequence, hours))
        append(tmp_path, batches[-1])
        if sequence == 2:
            near = stored_panes.near(str(tmp_path / "panes"), KINDS, 1)
            assert near
            assert len(list(near.read(None))) >= 60 // piece_rows
        publish(tmp_path, RESULT, sequence - 1, sequence)
        publish(tmp_path, RESULT, sequence, sequence + 1, has_new=False)  # nothing new: no commit
        assert published(tmp_path) == expected(batches, KINDS)
        assert DeltaTable(tmp_path / "windows").version() == sequence - 1


@pytest.mark.parametrize("piece_rows", [8, 100_000])
def test_windows_of_a_kind_that_is_no_longer_published_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece_rows: int
) -> None:
    monkeypatch.setattr(near_panes, "PIECE_ROWS", piece_rows)
    create(tmp_path)
    batches = [batch(random.Random(sequence), sequence, (0, 30)) for sequence in (2, 3)]
    append(tmp_path, batches[0])
    publish(tmp_path, RESULT, 1, 2)
    append(tmp_path, batches[1])
    publish(tmp_path, altered(RESULT, windows=KINDS[1:]), 2, 3)
    assert published(tmp_path) == expected(batches[:1], KINDS[:1]) | expected(batches, KINDS[1:])


def test_a_failure_in_a_late_piece_is_raised_as_it_is_and_nothing_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_panes, "PIECE_ROWS", 8)
    create(tmp_path)
    rows = batch(random.Random(1), 2, (0, 30))
    latest = max(rows, key=lambda row: row["pane_start"])
    other = latest | {"device_sketch": hyperloglog.sketch_of([1], 10)}
    append(tmp_path, [*rows, latest | {"device_sketch": hyperloglog.sketch_of([2], 12)}, other])
    with pytest.raises(hyperloglog.UnlikeSketches):
        publish(tmp_path, RESULT, 1, 2)
    assert DeltaTable(tmp_path / "windows").version() == 0
    assert published(tmp_path) == {}


def test_memory_does_not_grow_with_the_number_of_windows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two days, and sixteen: each with the windows of a whole day among them."""
    monkeypatch.setattr(near_panes, "PIECE_ROWS", 2_000)
    peaks = []
    for times in (4, 32):
        folder = tmp_path / str(times)
        create(folder)
        rows = batch(random.Random(3), 2, (0, 12))
        hundred = pa.Table.from_pylist([{name: row[name] for name in COLUMNS.names} for row in rows], schema=COLUMNS)
        sites = [pa.array([f"{number:03}"] * len(hundred), pa.string()) for number in range(100)]
        wide = pa.concat_tables([hundred.set_column(1, COLUMNS.field("site"), site) for site in sites])
        for part in range(times):
            starts = pc.add(wide["pane_start"], pa.scalar(timedelta(hours=12 * part)))
            write_deltalake(folder / "panes", wide.set_column(0, COLUMNS.field("pane_start"), starts), mode="append")
        peaks.append(peak_of_publishing(folder, monkeypatch))
        assert len(published(folder)) > 2_000 * times
    assert peaks[1] < 1.5 * peaks[0]


def peak_of_publishing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Most bytes in Arrow whenever rows are corrected."""
    sizes, corrected_rows = [], in_process_upsert._corrected_rows

    def watched(*arguments: Any) -> pa.Table:
        rows = corrected_rows(*arguments)
        sizes.append(pa.total_allocated_bytes())
        return rows

    with monkeypatch.context() as patches:
        patches.setattr(in_process_upsert, "_corrected_rows", watched)
        before = pa.total_allocated_bytes()
        publish(folder, RESULT, 1, 2)
    assert len(sizes) >= 3
    return max(sizes) - before
