"""Where a run starts: the ledger decides, the checkpoint is a cache, and tables are put back to where the ledger is."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pyspark.sql import SparkSession

from jobs.broker.topics import Topic
from jobs.run import Places, Refused
from jobs.sinks import checkpoint, commits, layout, ledger, table_check, tables
from jobs.sinks.ledger import Row
from jobs.transforms.result import Result

PUBLISH = "publish"
"""The step that writes windows outside a batch."""


@dataclass(frozen=True)
class Start:
    """How a run begins."""

    last: Row
    checkpoint: str
    notes: tuple[str, ...]
    """What was found and mended, in words."""


def resume(
    spark: SparkSession, places: Places, result: Result, finish: bool = True, topic: Topic | None = None
) -> Start:
    """Check the result's tables against its ledger, mend what a crash or a lost checkpoint left, say where to go on.

    A batch that stopped half-way is left for the checkpoint to run again; without `finish` it is taken back.
    `topic` is what the log has of it now; None if it is not read.

    Raises Refused, with the remedy, when a table is gone, was replaced or has other columns, and when the definition
    of the result is not the one that its tables were made with.
    """
    expected, transform = layout.tables_of(spark, result)
    last = ledger.last(places, result.name)
    if last is None:
        last = _begin(places, result, expected, transform, spark.version)
    _check_definition(result, transform, last, spark.version)
    moved = topic is not None and bool(last.end_offsets) and (last.log_home or "archive") != places.log
    if topic is not None:
        last = replace(last, log_home=places.log, topic_id=topic.id)
    last = replace(last, transform=transform, spark_version=spark.version)  # what later rows are to say
    table_check.check(places, result.name, expected, last)
    folder = checkpoint.folder(places.checkpoints, result.name, last.generation)
    firsts = topic.firsts if topic else None
    wrong = "is of the log's other home" if moved else checkpoint.disagreement(spark, folder, last, firsts)
    strays = unclosed(places, last)
    planned = checkpoint.planned(spark, folder, last.batch_id + 1) if wrong is None and strays else None
    if wrong is None and strays and not (finish and _in_flight(strays, last, planned)):
        wrong = "does not know of a write that was not finished"
    if wrong is None:
        return Start(last, folder, ())
    notes = [f"the checkpoint {folder} {wrong}"]
    if checkpoint.exists(spark, folder):
        notes.append(f"it was moved aside to {checkpoint.move_aside(spark, folder)}")
    notes += _take_back(places, last)
    return _new_generation(places, result, last, tuple(notes), transform, spark.version)


def _begin(places: Places, result: Result, expected: list[layout.Table], transform: str, spark_version: str) -> Row:
    for table in expected:
        path = places.table(table.name)
        if tables.find(path) is not None and tables.identity(path)[1] > 0:
            raise Refused(
                f"{path} has rows, but there is no ledger {ledger.path(places, result.name)} to say which records they "
                f"hold. Move the tables of {result.name} away to rebuild them from the log, or bring the ledger back."
            )
        tables.create(path, table.columns, table.partitioned_by, table.sentence, table.settings)
    ledger.create(places, result.name)
    first = Row(
        sequence=1,
        kind="start",
        generation=1,
        batch_id=-1,
        published_sequence=1,
        tables=ledger.versions(places, [table.name for table in expected]),
        definition=result.definition(),
        transform=transform,
        spark_version=spark_version,
        started_time=datetime.now(UTC),
    )
    return ledger.write(places, result.name, first)


def _check_definition(result: Result, transform: str, last: Row, spark_version: str) -> None:
    now = result.definition()
    changed = [name for name in now if last.definition.get(name) != now[name]]
    if not changed and last.transform and last.transform != transform and last.spark_version in ("", spark_version):
        changed = ["transform"]
    if changed:
        said = "; ".join(
            f"{name} was {last.definition[name]}, now {now[name]}" if name in last.definition else name
            for name in changed
        )
        raise Refused(
            f"{result.name} means something else than the numbers in its tables ({said}). Give the result a new "
            "version in its name, and so a new table, or take the change back."
        )


def unclosed(places: Places, last: Row) -> list[dict[str, object]]:
    """Our commits that are in the tables and not in the ledger: of a batch that was not closed."""
    found = []
    for name, known in last.tables.items():
        newer = commits.after(places.table(name), known["version"])
        found += [commit | {"table": name} for commit in newer if "sequence" in commit]
    return found


def _in_flight(strays: list[dict[str, object]], last: Row, planned: dict[int, int] | None) -> bool:
    """Whether all are of the batch that the checkpoint will run again, with the same records: then its steps that are
    done are skipped. Windows published outside a batch may stay in any case. A step that is there twice is of two runs.
    """
    steps = [(commit["table"], commit["step"]) for commit in strays]
    if len(set(steps)) < len(steps):
        return False
    ends = None if planned is None else last.end_offsets | planned
    for commit in strays:
        if commit.get("generation") != str(last.generation) or commit.get("sequence") != last.sequence + 1:
            return False
        covers = {int(partition): offset for partition, offset in dict(commit["end_offsets"]).items()}  # type: ignore[call-overload]
        if commit.get("step") != PUBLISH and covers != ends:
            return False
    return True


def _take_back(places: Places, last: Row) -> list[str]:
    """Undo the commits of a batch that was not closed: its records are read again, in a new generation."""
    notes = []
    for name, known in last.tables.items():
        path = places.table(name)
        if any("sequence" in commit for commit in commits.after(path, known["version"])):
            tables.restore(path, known["version"])
            notes.append(f"an unfinished batch was taken back from {path}")
    return notes


def _new_generation(
    places: Places, result: Result, last: Row, notes: tuple[str, ...], transform: str, spark_version: str
) -> Start:
    generation = last.generation + 1
    notes = (*notes, f"the ledger says how far the tables are: going on from there as generation {generation}")
    row = last.next(
        "start",
        generation=generation,
        batch_id=-1,
        tables=ledger.versions(places, last.tables),
        transform=transform,
        spark_version=spark_version,
        notes=notes,
    )
    row = ledger.write(places, result.name, row)
    return Start(row, checkpoint.folder(places.checkpoints, result.name, generation), notes)
