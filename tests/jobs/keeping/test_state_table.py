"""The stored state of clocks, batch by batch, without Spark: what a dictionary of devices would hold."""

import random
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable

from jobs.decisions import corrected_times
from jobs.decisions.offset_series import STATE
from jobs.keeping import housekeeping, ledger
from jobs.keeping.ledger import Row
from jobs.keeping.state_table import StateTable
from jobs.lake import commits, delta_tables
from jobs.running.places import Places
from schemas import clocks, straggler
from tests.jobs.keeping.taps import RESULT

NAME = "tap_clock_v1_clocks"
State = dict[tuple[int, str], list[int]]


def row_of(places: Places, sequence: int) -> Row:
    """A ledger row that knows the table as it is now."""
    known = dict(zip(("id", "version"), delta_tables.identity(places.table(NAME)), strict=True))
    return Row(sequence, "batch", 1, sequence, tables={NAME: known})


def commit(sequence: int) -> commits.Commit:
    return commits.Commit("tap_clock_v1", "1", sequence, "clocks", {}, {0: sequence})


def known(stored: pa.Table) -> State:
    """The last row of each device, by sequence."""
    rows = sorted(stored.to_pylist(), key=lambda row: row["sequence"])
    return {(row["partition"], row["device"]): row["offsets"] for row in rows}


def changes(dice: random.Random) -> State:
    places = dice.sample([(partition, device) for partition in (0, 1) for device in ("a", "it's b", "ü")], 3)
    return {place: [dice.randrange(-(10**12), 10**12) for _ in range(dice.randint(1, 4))] for place in places}


def as_table(state: State) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {"partition": partition, "device": device, "offsets": offsets} for (partition, device), offsets in state.items()
    ]
    return pa.Table.from_pylist(rows, schema=STATE)


def test_state_is_that_of_the_ledger_whoever_reads_it(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third batch is written by a run that ends before its ledger row, and again by the next run. Housekeeping
    puts files together in between.
    """
    monkeypatch.setattr(corrected_times, "FEW_ROWS", 10)
    path, dice = places.table(NAME), random.Random(2)
    delta_tables.create(path, clocks.COLUMNS, (), "Clocks.", housekeeping.SETTINGS)
    delta_tables.create(places.table("tap_clock_v1_stragglers"), straggler.COLUMNS, (), "Late records.", {})
    ledger.create(places, RESULT.name)
    last, table, due = row_of(places, 1), StateTable(places, RESULT), State()
    sizes = []
    for sequence in range(2, 30):
        changed = changes(dice)
        if sequence % 3 == 0:
            stopped = StateTable(places, RESULT)
            stopped.read(last)
            stopped.write(as_table(changed), commit(sequence))
            table = StateTable(places, RESULT)
            assert known(table.read(last)) == due, "not what the batch that was not closed has written"
        table.read(last)
        table.write(as_table(changed), commit(sequence))
        due |= changed
        last = row_of(places, sequence)
        assert known(table.read(last)) == known(StateTable(places, RESULT).read(last)) == due
        sizes.append(len(table.read(last)))
        if sequence == 20:
            housekeeping.compact(places, RESULT)
            assert len(DeltaTable(path).file_uris()) == 1
            assert known(StateTable(places, RESULT).read(last)) == due
    assert len(due) == 6 and max(sizes) <= 12 and sizes.count(6) >= 3, "written anew again and again"
