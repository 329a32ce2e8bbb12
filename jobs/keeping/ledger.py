"""The ledger of a result: how far it has read, written after the last table of each batch. It is the truth.

Read and written without Spark: a row costs milliseconds, and whoever asks how far a job is needs no Java.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Self

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, QueryBuilder, Transaction, write_deltalake

from jobs.answers import table_names
from jobs.keeping import housekeeping
from jobs.keeping.steps import Step, announce
from jobs.lake import commits, delta_tables
from jobs.run import Run
from jobs.running import one_look, storage
from jobs.running.errors import Refused
from jobs.running.places import Places
from schemas import ledger as ledger_schema


@dataclass(frozen=True)
class Position:
    """How far one topic was read."""

    topic_id: str = ""
    start_offsets: dict[int, int] = field(default_factory=dict)
    end_offsets: dict[int, int] = field(default_factory=dict)
    stream_time: dict[int, datetime] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """A row of the ledger; schemas/ledger.py says what each column is."""

    sequence: int
    kind: str
    generation: int
    batch_id: int
    start_offsets: dict[int, int] = field(default_factory=dict)
    end_offsets: dict[int, int] = field(default_factory=dict)
    log_home: str = ""
    topic_id: str = ""
    records: int = 0
    quarantined: int = 0
    out_of_order: int = 0
    late: int = 0
    dropped: int = 0
    lateness_p50_seconds: float = 0.0
    lateness_p99_seconds: float = 0.0
    lateness_max_seconds: float = 0.0
    lateness_sketch: bytes | None = None
    stream_time: dict[int, datetime] = field(default_factory=dict)
    record_time: datetime | None = None
    filter_fill: float | None = None
    filter_false_positive_rate: float | None = None
    complete_time: datetime | None = None
    reopened: int = 0
    until_time: datetime | None = None
    expired_stream_time: datetime | None = None
    further_topics: dict[str, Position] = field(default_factory=dict)
    published_sequence: int = 0
    transactions: dict[str, dict[str, int]] = field(default_factory=dict)
    published_complete_time: datetime | None = None
    open_sequence: int = 0
    delivered_sequence: dict[str, int] = field(default_factory=dict)
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    definition: dict[str, str] = field(default_factory=dict)
    transform: str = ""
    spark_version: str = ""
    notes: tuple[str, ...] = ()
    started_time: datetime | None = None
    committed_time: datetime | None = None

    @property
    def position(self) -> Position:
        """That of the first topic."""
        return Position(self.topic_id, self.start_offsets, self.end_offsets, self.stream_time)

    def positions(self, topics: Iterable[str]) -> dict[str, Position]:
        """Of each of these topics, by name; the first topic of the result comes first."""
        first, *others = topics
        return {first: self.position} | {name: self.further_topics.get(name, Position()) for name in others}

    def least_stream_time(self, topics: Iterable[str]) -> datetime | None:
        """The least of all partitions of these topics; None before the first record."""
        times = [time for read in self.positions(topics).values() for time in read.stream_time.values()]
        return min(times, default=None)

    def with_positions(self, positions: Mapping[str, Position]) -> Self:
        """The row with these, as `positions` gives them."""
        (_, first), *others = positions.items()
        return replace(
            self, **{each.name: getattr(first, each.name) for each in fields(first)}, further_topics=dict(others)
        )

    @property
    def is_published(self) -> bool:
        """Whether every batch is published, or the result has no windows."""
        is_published = any(name.endswith(table_names.suffix("panes")) for name in self.tables)
        is_published |= "answers" in self.definition
        return self.published_sequence >= self.sequence or not is_published

    @property
    def settled_sequence(self) -> int:
        """All changes up to this ledger row are in the answers of them."""
        return min([self.published_sequence, *(each["waiting_sequence"] for each in self.transactions.values())])

    def next(self, kind: str, **changes: Any) -> Self:
        """The row after this one: it has read as far, counts nothing yet, and starts now."""
        fresh: dict[str, Any] = dict.fromkeys(
            ("records", "quarantined", "out_of_order", "late", "dropped", "reopened"), 0
        )
        fresh |= {"notes": (), "lateness_sketch": None}
        fresh |= {f"lateness_{which}_seconds": 0.0 for which in ("p50", "p99", "max")}
        fresh |= {"start_offsets": self.end_offsets, "started_time": datetime.now(UTC)}
        further = {name: replace(one, start_offsets=one.end_offsets) for name, one in self.further_topics.items()}
        fresh |= {"further_topics": further}
        return replace(self, sequence=self.sequence + 1, kind=kind, **(fresh | changes))


def _check_columns() -> None:
    """Raises TypeError if the ledger's table has other columns than a row: a field without one would be lost when it is
    written, and be at its default when it is read.
    """
    unlike = {field.name for field in fields(Row)} ^ set(ledger_schema.COLUMNS.names)
    if unlike:
        raise TypeError(f"{', '.join(sorted(unlike))}: in ledger.Row or in schemas/ledger.py, but not in both")


_check_columns()


def path(places: Places, name: str) -> str:
    """The path of the ledger of result `name`."""
    return places.table(table_names.table(name, "ledger"))


def results(places: Places) -> list[str]:
    """The names of the results in the folder of tables; raises OSError if it cannot be read."""
    from pyarrow import fs

    system, folder = storage.filesystem(places.tables)
    found = system.get_file_info(fs.FileSelector(folder, allow_not_found=True))
    folders = sorted(info.base_name for info in found if info.type == fs.FileType.Directory)
    suffix = table_names.suffix("ledger")
    return [name.removesuffix(suffix) for name in folders if name.endswith(suffix)]


def create(places: Places, name: str) -> None:
    """Make an empty ledger, if there is none."""
    sentence = f"How far {name} has read, one row for each closed batch."
    delta_tables.create(path(places, name), ledger_schema.COLUMNS, (), sentence, housekeeping.SETTINGS)


def last(places: Places, name: str, kind: str = "%") -> Row | None:
    """The last row, or the last of a `kind`; None if there is no ledger or none in it. Within a look: read once."""
    return one_look.recall(("last row", path(places, name), kind), lambda: _last(places, name, kind))


def _last(places: Places, name: str, kind: str) -> Row | None:
    table = delta_tables.find(path(places, name))
    if table is None:
        return None
    sql = f"select * from ledger where kind like '{kind}' order by sequence desc limit 1"
    newest = QueryBuilder().register("ledger", table).execute(sql)
    rows = pa.table(newest.read_all()).to_pylist(maps_as_pydicts="strict")
    return _row(rows[0]) if rows else None


def _row(columns: dict[str, Any]) -> Row:
    known = {name: value for name, value in columns.items() if value is not None and name in Row.__annotations__}
    known["notes"] = tuple(known.get("notes", ()))
    further = known.get("further_topics", {})
    known["further_topics"] = {name: Position(**position) for name, position in further.items()}
    return Row(**known)


def versions(places: Places, names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Delta's id and present version of each of these tables, as the field `tables` of a row has them."""
    found = {name: delta_tables.identity(places.table(name)) for name in names}
    return {name: {"id": id_, "version": version} for name, (id_, version) in found.items()}


def close(run: Run, row: Row, closing: commits.Commit) -> Row:
    """Write `row` after the last table of its batch. Raises Refused if another run has written to the tables."""
    row = with_versions(run.places, row, closing)
    with announce(run.step, Step.LEDGER):
        return write(run.places, closing.job, row)


def with_versions(places: Places, row: Row, closing: commits.Commit) -> Row:
    """`row` with the versions that its tables have now. Raises Refused if another run has written to them."""
    now = {}
    for name, before in row.tables.items():
        version = commits.check_only_writer(places.table(name), before["id"], before["version"], closing)
        now[name] = before | {"version": version}
    return replace(row, tables=now)


def write(places: Places, name: str, row: Row) -> Row:
    """Append `row` in one commit. Raises Refused if another run has written a row of its sequence."""
    row = replace(row, committed_time=datetime.now(UTC))
    values = _pairs(asdict(row), ("tables", "further_topics", "transactions"))
    values["tables"] = list(row.tables.items())
    values["transactions"] = list(row.transactions.items())
    positions = {name: _pairs(asdict(position)) for name, position in row.further_topics.items()}
    values["further_topics"] = list(positions.items())
    commit = commits.Commit(name, str(row.generation), row.sequence, Step.LEDGER, row.start_offsets, row.end_offsets)
    table = DeltaTable(path(places, name))
    if (table.transaction_version(f"{name}:ledger") or 0) >= row.sequence:
        raise Refused(f"{path(places, name)} has a row {row.sequence} already: another run of {name} is writing too.")
    columns = arrow_schema()
    older = {field.name for field in table.schema().fields} != set(columns.names)
    write_deltalake(
        table,
        pa.Table.from_pylist([values], schema=columns),
        mode="append",
        schema_mode="merge" if older else None,  # a ledger of an older version gets the new columns
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": commit.metadata()},
            app_transactions=[Transaction(f"{name}:ledger", row.sequence)],
        ),
    )
    return row


def _pairs(values: dict[str, Any], but: tuple[str, ...] = ()) -> dict[str, Any]:
    """The values, with lists of pairs for dictionaries, as Arrow takes maps."""
    return {
        name: list(value.items()) if isinstance(value, dict) and name not in but else value
        for name, value in values.items()
    }


def arrow_schema() -> pa.Schema:
    """The columns of the ledger, as Arrow has them."""
    from pyspark.sql.pandas.types import to_arrow_schema

    return to_arrow_schema(ledger_schema.COLUMNS, timezone="UTC")
