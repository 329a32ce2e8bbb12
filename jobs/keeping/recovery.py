"""Where a run starts: the ledger decides, the checkpoint is a cache, and tables are set back to where the ledger is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pyspark.sql import SparkSession

from jobs.answers.result import WINDOWS, Result
from jobs.events import fast_decoder
from jobs.keeping import beginning, checkpoint, ledger, result_tables, table_check
from jobs.keeping.definition import comparison, fingerprint, upgrade, widening, window_change
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind, Step
from jobs.lake import commits, delta_tables
from jobs.log.topic import Topic
from jobs.running.errors import Refused
from jobs.running.places import Places


@dataclass(frozen=True)
class Start:
    """How a run begins."""

    last: Row
    checkpoint: str
    notes: tuple[str, ...]
    """What was wrong and what was done about it, in words."""


def resume(
    spark: SparkSession,
    places: Places,
    result: Result,
    finish: bool = True,
    step: Callable[[str], None] = lambda _: None,
) -> Start:
    """As `resume_from` the ledger's last row, for a run that does not read the log."""
    return resume_from(spark, places, result, ledger.last(places, result.name), finish, step=step)


def resume_from(
    spark: SparkSession,
    places: Places,
    result: Result,
    before: Row | None,
    finish: bool = True,
    topics: Sequence[Topic] | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Start:
    """Check the result's tables against its ledger, mend what a crash or a lost checkpoint left, say where to go on.

    `before` is the ledger's last row; None if there is no ledger yet. A batch that stopped half-way is left for the
    checkpoint to run again; without `finish` it is taken back. `topics` is what the log has of each now; None if the
    log is not read. `step` is called with commits; see Run.step.
    A result that has read nothing yet may be defined anew, and tables get wider columns where the topic's have,
    and rows of windows come and go with the windows of the result.

    Raises Refused, with the remedy, when a table is gone, was replaced or has other columns, and when the definition
    of the result is not the one that its tables were made with.
    """
    events = fast_decoder.event_columns(result.topic)
    expected = result_tables.definitions(spark, result)
    defined = comparison.compare(spark, result, events, before)
    last, notes = _check_definition(spark, places, result, expected, defined, before)
    notes += upgrade.check(places, result, before) if before is not None else ()
    is_anew = before is None or last.generation != before.generation
    new_windows = bool(defined.removed or defined.added) and not is_anew
    moved = topics is not None and bool(last.end_offsets) and (last.log_home or "archive") != places.log
    if topics is not None:  # only now: the log was compared with the row as it was, and later rows take over this one
        ids = dict(zip(result.topics, (topic.id for topic in topics), strict=True))
        positions = last.positions(result.topics).items()
        last = last.with_positions({name: replace(position, topic_id=ids[name]) for name, position in positions})
        last = replace(last, log_home=places.log)
    last = _with_later_tables(places, result, expected, last)
    table_check.check_known(places, result.name, expected, last)
    uncommitted = uncommitted_steps(places, last)
    if window_change.is_unfinished(uncommitted):
        last, uncommitted = window_change.roll_back(places, result, uncommitted, last), []
        notes += last.notes
    if result.keeps_events or result.sessions or result.uses_window_changes:
        uncommitted = _take_back_publications(places, last, uncommitted)
    half_widened = bool(uncommitted) and all(commit["step"] == Step.WIDEN for commit in uncommitted)
    narrow = bool(widening.tables_to_widen(places, expected))
    if narrow and not any(commit["step"] == Step.WIDEN for commit in uncommitted):
        widening.check(places, result, expected)
    folder = checkpoint.folder(places.checkpoints, result.name, last.generation)
    firsts = [topic.firsts for topic in topics] if topics else None
    wrong = "is of the log's other home" if moved else checkpoint.disagreement(spark, folder, last, firsts)
    if half_widened and widening.is_possible(places, result, expected):
        uncommitted = []
    if wrong is None and uncommitted:
        may_finish = finish and not narrow and not new_windows
        may_finish = may_finish and _can_be_finished(spark, folder, result, uncommitted, last)
        wrong = None if may_finish else "does not know of a write that was not finished"
    start = Start(last, folder, notes)
    if wrong is not None:
        start = _from_the_ledger(spark, places, result, start, wrong)
        widening.check(places, result, expected)
        narrow = bool(widening.tables_to_widen(places, expected))
    if narrow or (half_widened and wrong is None):
        row = widening.widen(places, result, expected, start.last, step)
        start = replace(start, last=row, notes=(*start.notes, *row.notes))
    return _with_its_windows(spark, places, result, defined, start, step) if new_windows else start


def _with_its_windows(
    spark: SparkSession,
    places: Places,
    result: Result,
    defined: comparison.Definition,
    start: Start,
    step: Callable[[str], None],
) -> Start:
    """The start, after the rows of windows that were removed and added are so in the table."""
    row = window_change.apply(spark, places, result, defined.removed, defined.added, start.last, step)
    return replace(start, last=row, notes=(*start.notes, *row.notes))


def _check_definition(
    spark: SparkSession,
    places: Places,
    result: Result,
    expected: list[result_tables.Table],
    defined: comparison.Definition,
    last: Row | None,
) -> tuple[Row, tuple[str, ...]]:
    """The ledger's last row with the definition of now, which later rows take over, and notes. It is a new row if there
    was none, or if the result had read nothing and is defined anew. Raises Refused if the numbers in the tables mean
    something else than the result does now.
    """
    now: dict[str, Any] = {"definition": defined.constants, "transform": defined.transform}
    now["spark_version"] = spark.version
    if last is None:
        first = Row(sequence=1, kind=Kind.START, generation=1, batch_id=-1, published_sequence=1)
        return beginning.begin(places, result, expected, replace(first, **now)), ()
    well = last.batch_id >= 0 or table_check.is_well(places, result.name, expected, last)
    other = bool(defined.differences or defined.removed or defined.added)
    if (other or not well) and beginning.is_blank(places, result.name, last):
        row = beginning.begin_anew(spark, places, result, expected, last, now)
        return row, row.notes
    if defined.differences:
        raise Refused(
            f"{result.name} means something else than the numbers in its tables ({'; '.join(defined.differences)}). "
            "Give the result a new version in its name, and so a new table, or take the change back."
        )
    if other:  # until their rows are there, the ledger goes on to name the windows whose rows are
        now["definition"] = defined.constants | {WINDOWS: last.definition[WINDOWS]}
    return replace(last, **now), ()


def _with_later_tables(places: Places, result: Result, expected: list[result_tables.Table], last: Row) -> Row:
    """`last`, with the tables that a result has now, and had not under the version that began it. They are made here;
    from their version 0 on, as the batch at work may have written to them already.
    """
    later = {result.table("stragglers"), result.table("calendar_days"), *result.feed_tables} - last.tables.keys()
    for table in (one for one in expected if one.name in later):
        path = places.table(table.name)
        delta_tables.create(path, table.columns, table.partitioned_by, table.sentence, table.settings)
        last = replace(last, tables=last.tables | {table.name: {"id": delta_tables.identity(path)[0], "version": 0}})
    return last


def _take_back_publications(places: Places, last: Row, uncommitted: list[dict[str, object]]) -> list[dict[str, object]]:
    """Undo a publication, but for one of windows alone, that has no ledger row: the next one works out the
    difference to what the ledger knows. Returns the commits that are left.
    """
    of_publication = (Step.PUBLISH, Step.PUBLISH_FINAL, Step.FEED)
    published = {str(commit["table"]) for commit in uncommitted if commit["step"] in of_publication}
    for name in published:
        delta_tables.restore(places.table(name), last.tables[name]["version"])
    return [commit for commit in uncommitted if commit["table"] not in published]


def uncommitted_steps(places: Places, last: Row) -> list[dict[str, object]]:
    """Our commits that are in the tables but in no ledger row, oldest first in each table: of a batch that was not
    closed. Each as its metadata, with the name of its `table`.
    """
    found = []
    for name, known in last.tables.items():
        newer = commits.metadata_since(places.table(name), known["version"])
        found += [commit | {"table": name} for commit in newer if "sequence" in commit]
    return found


def _can_be_finished(
    spark: SparkSession, folder: str, result: Result, uncommitted: list[dict[str, object]], last: Row
) -> bool:
    """Whether all are of the batch that the checkpoint will run again, with the same records, and the same of them
    good: then the steps that are done are skipped. Windows published outside a batch may stay in any case. A step that
    is there twice was written by two runs.
    """
    steps = [(commit["table"], commit["step"]) for commit in uncommitted]
    if len(set(steps)) < len(steps):
        return False
    reading = fingerprint.schema_fingerprints(reads.topic for reads in result.all_reads)
    planned = checkpoint.planned_offsets(spark, folder, last.batch_id + 1, len(result.topics))
    positions = last.positions(result.topics).values()
    ends = planned and [position.end_offsets | ends for position, ends in zip(positions, planned, strict=True)]
    for commit in uncommitted:
        if commit.get("generation") != str(last.generation) or commit.get("sequence") != last.sequence + 1:
            return False
        further = dict(commit.get("further_ends", {}))  # type: ignore[call-overload]
        covers = [_offsets(commit["end_offsets"]), *(_offsets(further.get(name, {})) for name in result.topics[1:])]
        read_alike = commit.get("reading") in (None, reading)  # none: of version 0.2.0
        if commit.get("step") not in (Step.PUBLISH, Step.PUBLISH_FINAL) and (covers != ends or not read_alike):
            return False
    return True


def _offsets(stored: Any) -> dict[int, int]:
    """Offsets by partition, of the metadata of a commit."""
    return {int(partition): offset for partition, offset in stored.items()}


def _roll_back(places: Places, last: Row) -> list[str]:
    """Undo the commits of a batch that was not closed: its records are read again, in a new generation."""
    notes = []
    for name, known in last.tables.items():
        path = places.table(name)
        if any("sequence" in commit for commit in commits.metadata_since(path, known["version"])):
            delta_tables.restore(path, known["version"])
            notes.append(f"an unfinished batch was taken back from {path}")
    return notes


def _from_the_ledger(spark: SparkSession, places: Places, result: Result, start: Start, wrong: str) -> Start:
    """Begin a new generation of the checkpoint, because the present one is `wrong`: move it aside, set the tables back
    to the ledger, and write a ledger row that says so.
    """
    last, folder = start.last, start.checkpoint
    notes = [*start.notes, f"the checkpoint {folder} {wrong}"]
    if checkpoint.exists(spark, folder):
        notes.append(f"it was moved aside to {checkpoint.move_aside(spark, folder)}")
    notes += _roll_back(places, last)
    generation = last.generation + 1
    notes.append(f"the ledger says how far the tables are: going on from there as generation {generation}")
    row = last.next(
        Kind.START,
        generation=generation,
        batch_id=-1,
        tables=ledger.versions(places, last.tables),
        notes=tuple(notes),
    )
    row = ledger.write(places, result.name, row)
    return Start(row, checkpoint.folder(places.checkpoints, result.name, generation), row.notes)
