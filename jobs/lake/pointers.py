"""Names that point to results: readers use the name, and one commit switches all its tables to another result.

All switches of all names are rows of one table, so that each is decided in the light of all others: of two that are
made at once, one is refused.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places
from schemas import switch

TABLE = "_pointers"
"""Name of the table of switches, in the folder of results' tables."""
_MARK = "pointers"
"""Delta's transaction id of the last switch. Of two commits with the same one the second fails."""


class SwitchKind(StrEnum):
    """What a switch does. Stored: a name must not change."""

    PROMOTE = "promote"
    ROLLBACK = "rollback"
    RETIRE = "retire"
    """No name: a result is removed, and no name may point to it any more."""


@dataclass(frozen=True)
class Switch:
    """A row of the table; schemas/switch.py says what each column is."""

    kind: str
    name: str | None
    from_result: str | None
    to_result: str
    ledger_id: str
    offsets: dict[str, dict[int, int]] = field(default_factory=dict)
    switched_by: str = ""
    sequence: int = 0
    switched_time: datetime = field(default_factory=partial(datetime.now, UTC))


@dataclass(frozen=True)
class Pointers:
    """All switches until now, in order."""

    switches: tuple[Switch, ...] = ()

    @property
    def targets(self) -> dict[str, str]:
        """By name, the result that it points to."""
        return {each.name: each.to_result for each in self.switches if each.name is not None}

    def of_name(self, name: str) -> tuple[Switch, ...]:
        """The switches of one name, in order."""
        return tuple(each for each in self.switches if each.name == name)

    def results_before(self, name: str) -> tuple[str, ...]:
        """The results to which rollbacks would switch back one after another, the next one last."""
        promoted: list[str] = []
        for each in self.of_name(name):
            if each.kind == SwitchKind.ROLLBACK:
                promoted.pop()
            else:
                promoted.append(each.to_result)
        return tuple(promoted[:-1])

    def is_retired(self, ledger_id: str) -> bool:
        """Whether the result whose ledger has this Delta id is removed, or was about to be."""
        return any(each.kind == SwitchKind.RETIRE and each.ledger_id == ledger_id for each in self.switches)

    def table(self, name: str) -> str | None:
        """The table that `name` means: that of a result, for the pointer's name and what follows it; None: no pointer
        has such a name.
        """
        targets = self.targets
        for pointer in sorted(targets, key=len, reverse=True):
            if name == pointer or name.startswith(f"{pointer}_"):
                return targets[pointer] + name[len(pointer) :]
        return None


def read(places: Places) -> Pointers:
    """All switches until now. Raises Refused if the table is not headrace's."""
    table = delta_tables.find(places.table(TABLE))
    return Pointers() if table is None else _pointers(places, table)


def _pointers(places: Places, table: DeltaTable) -> Pointers:
    if {column.name for column in table.schema().fields} != set(switch.COLUMNS.names):
        raise Refused(f"the table {places.table(TABLE)} has other columns than headrace gave it: move it away.")
    rows = QueryBuilder().register("it", table).execute("select * from it order by sequence").read_all()
    return Pointers(tuple(_switch(row) for row in pa.table(rows).to_pylist(maps_as_pydicts="strict")))


def _switch(row: dict[str, Any]) -> Switch:
    return Switch(**(row | {"offsets": row["offsets"] or {}}))


def open_tables(places: Places, names: Iterable[str]) -> dict[str, tuple[str, DeltaTable | None]]:
    """For each of these names the table that it means now, and its own name: the table of that name if there is one,
    else that of a pointer; None if there is neither. All follow one state of the pointers.
    """
    found: dict[str, tuple[str, DeltaTable | None]] = {}
    pointers: Pointers | None = None
    for name in names:
        meant, table = name, delta_tables.find(places.table(name))
        if table is None:
            pointers = read(places) if pointers is None else pointers
            meant = pointers.table(name) or name
            table = delta_tables.find(places.table(meant)) if meant != name else None
        found[name] = meant, table
    return found


def append(places: Places, before: Pointers, row: Switch) -> Switch:
    """Make the switch `row`, which was decided in the light of `before`, in one commit; returns it as it is stored.

    Raises Refused if another switch was made meanwhile.
    """
    row = replace(row, sequence=len(before.switches) + 1)
    table = _table_of_switches(places)
    is_taken = (table.transaction_version(_MARK) or 0) >= row.sequence
    columns = pa.schema(table.schema().to_arrow())
    values = asdict(row) | {"offsets": [(topic, list(ends.items())) for topic, ends in row.offsets.items()]}
    properties = CommitProperties(app_transactions=[Transaction(_MARK, row.sequence)])
    try:
        if not is_taken:
            rows = pa.Table.from_pylist([values], schema=columns)
            write_deltalake(table, rows, mode="append", commit_properties=properties)
    except CommitFailedError:
        is_taken = True
    if is_taken:
        raise Refused("somebody else has switched a name at the same time: look at `headrace status`, and try again.")
    return row


def _table_of_switches(places: Places) -> DeltaTable:
    """The table of switches, which is made if there is none."""
    path = places.table(TABLE)
    try:
        delta_tables.create(path, switch.COLUMNS, (), "Which result each name points to, one row a switch.")
    except DeltaError:  # another process has made it just now
        if delta_tables.find(path) is None:
            raise
    return DeltaTable(path)


def check_free(places: Places, names: Iterable[str]) -> None:
    """Raises Refused if one of these tables, which a new result would have, is what a pointer's name means already."""
    pointers = read(places)
    for name in names:
        meant = pointers.table(name)
        if name == TABLE:
            raise Refused(
                f"{name} is the table of headrace's pointers in {places.tables}: give the result another name."
            )
        if meant is not None and (name in pointers.targets or delta_tables.find(places.table(meant)) is not None):
            raise Refused(
                f"readers already use the name {name} for the table {meant} (see `headrace status`): give the result "
                "another name, with its version, such as departure_delay_v1."
            )
