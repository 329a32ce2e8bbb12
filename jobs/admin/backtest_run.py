"""A result over a span of the log, in a folder of its own: a copy of the records, and the tables that they give."""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession

from jobs.admin import standing
from jobs.answers import table_names
from jobs.answers.result import Result
from jobs.keeping import microbatch
from jobs.log import home
from jobs.log.archive import writer
from jobs.log.offsets import Offsets
from jobs.publishing.results import query
from jobs.run import Run
from jobs.running import work_progress
from jobs.running.errors import Refused
from jobs.running.instants import EPOCH
from jobs.running.places import FOLDERS, Places, read_places
from jobs.running.progress import Progress
from jobs.running.registry_access import SchemaRegistry

PLACES_FILE = "places.toml"
"""In the folder of a backtest: with it all commands look into its tables."""
COLUMNS = ("partition", "timestamp", "key", "value", "headers")


@dataclass(frozen=True)
class Span:
    """Record timestamps in [start, end). Without an end: up to the end of the log."""

    start: datetime
    end: datetime | None

    def __str__(self) -> str:
        until = "the end of the log" if self.end is None else f"before {self.end:%Y-%m-%dT%H:%M:%SZ}"
        return f"from {self.start:%Y-%m-%dT%H:%M:%SZ} to {until}"

    def select(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The records of the span, in their order."""
        times = batch["timestamp"]
        within = pc.greater_equal(times, pa.scalar(self.start, times.type))
        if self.end is not None:
            within = pc.and_(within, pc.less(times, pa.scalar(self.end, times.type)))
        return batch.filter(within)


@dataclass(frozen=True)
class TableCounts:
    """What a table of answers holds."""

    name: str
    rows: int
    final: int | None
    """None: its rows are never corrected, and so have no such column."""
    outcomes: dict[str, int]
    """How many rows have each outcome; empty if the table has no such column."""


@dataclass(frozen=True)
class Backtest:
    """What came of it."""

    records: dict[str, int]
    """How many were copied, by topic."""
    tables: list[TableCounts]
    late: int
    became_of_late: list[tuple[str, int]]
    """What became of late records, and of how many of them."""
    quarantined: int


def prepare(folder: Path, registry: SchemaRegistry | None = None) -> Places:
    """Make the folder, with a places file of its own; the copied records are decoded by the schemas of `registry`.
    Raises Refused if it is not empty or cannot be used.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Refused(f"--folder {folder} is not an empty folder: name another one, or remove what is in it.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        (folder / PLACES_FILE).write_text("".join(f'{name} = "{name}"\n' for name in FOLDERS), encoding="utf-8")
        return read_places(folder / PLACES_FILE).model_copy(update={"schema_registry": registry})
    except BaseException:
        remove(folder)
        raise


def remove(folder: Path) -> None:
    """Delete a folder that `prepare` has made, with all that a backtest has written into it."""
    shutil.rmtree(folder, ignore_errors=True)


def copy_records(
    places: Places, result: Result, span: Span, into: Places, given: Mapping[str, Path] | None = None
) -> dict[str, int]:
    """Copy the records of the span, of each topic that the result reads, into the archive of `into`; how many, by
    topic. Of changes of tables also all earlier ones: the rows that there were when the span began follow from them.
    Offsets begin at 0 there. `given`: for some topics a file that takes the place of the log. Raises Refused if there
    are none, or if a topic or a file is not there.
    """
    given = given or {}
    if unread := sorted(set(given) - set(result.topics)):
        raise Refused(f"--records {unread[0]}: {result.name} reads {', '.join(result.topics)}.")
    topics = {name: home.topic(places, name) for name in result.topics if name not in given}
    copied = {}
    for name, file in given.items():
        copied[name] = writer.append(into.archive, name, 1, [_records_of_file(file, span.start)]).records
    of_tables = tables_topics(result)
    for name, now in topics.items():
        asked = replace(span, start=EPOCH) if name in of_tables else span
        starts = home.starting_offsets(places, name, asked.start.isoformat())
        total = sum(max(0, end - starts.get(partition, 0)) for partition, end in now.ends.items())
        with work_progress.show(f"{name}: copying", total) as advance:
            found = _records(places, name, (starts, now.ends), asked, result.name, advance)
            copied[name] = writer.append_to_partitions(into.archive, name, len(now.ends), found).records
    of_events = [name for name in copied if name not in of_tables] or list(copied)
    if not any(copied[name] for name in of_events):
        raise Refused(f"{', '.join(of_events)}: no records with a record timestamp {span}; see headrace log.")
    return copied


def tables_topics(result: Result) -> set[str]:
    """The topics of changes of tables that the result reads."""
    return {reads.topic.TOPIC for reads in result.all_reads if reads.form}


def _records_of_file(file: Path, time: datetime) -> pa.RecordBatch:
    """The lines of a file as the values of records of that time, without keys."""
    try:
        lines = [line for line in file.read_bytes().splitlines() if line.strip()]
    except OSError as error:
        raise Refused(f"--records: {file} cannot be read: {error.strerror}.") from None
    columns = [pa.nulls(len(lines), pa.binary()), pa.array(lines, pa.binary())]
    times = pa.array([time] * len(lines), pa.timestamp("us", "UTC"))
    return pa.RecordBatch.from_arrays([*columns, times], ["key", "value", "timestamp"])


def _records(
    places: Places, name: str, offsets: tuple[Offsets, Offsets], span: Span, group: str, advance: Callable[[int], None]
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The records of the span, with their partitions. Record timestamps need not be in order, so those before the end
    of the span may come up to the end of the log. `offsets`: [start, end) of what is read.
    """
    reader = home.range_reader(places, name, group)
    try:
        for block in reader.read(reader.plan(*offsets), COLUMNS):
            advance(block.num_rows)
            if selected := span.select(block):
                yield selected["partition"][0].as_py(), selected
    finally:
        reader.close()


def compute(spark: SparkSession, places: Places, result: Result, say: Callable[[str], None]) -> None:
    """Keep the result over the copied records. Nothing is delivered."""
    microbatch.keep(Run(spark, places, say=say, closed=Progress().count), replace(result, deliver=()))


def read(places: Places, result: Result, records: dict[str, int]) -> Backtest:
    """What the tables of a backtest hold. Raises Refused if they cannot be read."""
    facts = standing.read(places, result.name)
    if isinstance(facts, str):
        raise Refused(f"{result.name}: {facts}")
    names = [table_names.part(result.name, answer) for answer in result.answer_keys] or [result.name]
    counts = [_count(places, name) for name in names]
    return Backtest(records, counts, facts.late, facts.stragglers, facts.waiting)


def _count(places: Places, name: str) -> TableCounts:
    columns = query(places, f'select * from "{name}" limit 0', name).column_names
    rows, final, outcomes = query(places, f'select count(*) as n from "{name}"', name)["n"][0].as_py(), None, {}
    if "final" in columns:
        final = query(places, f'select count(*) as n from "{name}" where final', name)["n"][0].as_py()
    if "outcome" in columns:
        sql = f'select outcome, count(*) as n from "{name}" group by outcome order by outcome'
        outcomes = {row["outcome"]: row["n"] for row in query(places, sql, name).to_pylist()}
    return TableCounts(name, rows, final, outcomes)
