"""headrace backtest: what a result would have said of a span of the log."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from jobs.admin.backtest_run import Backtest, Span
    from jobs.answers.result import Result
    from jobs.running.places import Places

TIME = "ISO-8601 with a zone, such as 2025-05-05T08:00:00Z"


def backtest(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="Job file, such as jobs/departure_delay.py.")],
    start: Annotated[str, typer.Option("--from", metavar="TIME", help=f"First record timestamp: {TIME}.")],
    end: Annotated[
        str | None,
        typer.Option("--to", metavar="TIME", help="Record timestamps before it. Else to the end of the log."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Another value for a constant of the job file; may be repeated."
        ),
    ] = None,
    records: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TOPIC=FILE",
            help="Lines of a file, as of --from, in place of a topic's records, such as rules to try; may be repeated.",
        ),
    ] = None,
    folder: Annotated[
        str | None,
        typer.Option(help="New or empty folder for all of it. Else backtests/NAME-TIME beside the folder of tables."),
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Run the result of a job file over a span of the log, in a folder of its own, and say what came of it.

    The records with a record timestamp of the span are copied, in the same partitions and order, and of changes of
    tables all earlier ones, too; offsets begin at 0, and stream time begins anew. The result's own tables, ledger and
    checkpoint stay as they are, and nothing is delivered. A backtest that fails removes its folder.
    """
    from functools import partial

    from jobs.admin import backtest_run, job_constants
    from jobs.admin.job_check import search_path_of
    from jobs.run import LOCAL_PROFILE, session
    from jobs.running.errors import one_line_errors
    from jobs.running.java import check_java, profile
    from jobs.running.places import read_places

    where, span, given = read_places(places), _span(start, end), _files(records or ())
    with search_path_of(job), one_line_errors(where.kafka):
        check_java()  # before records are copied, which may take long
        result = job_constants.load(job, settings or ())
        at = _folder(where, folder, result.name)
        own = backtest_run.prepare(at, where.schema_registry)
        try:
            copied = backtest_run.copy_records(where, result, span, own, given)
            backtest_run.compute(
                session(profile(places.parent / LOCAL_PROFILE)), own, result, partial(typer.echo, err=True)
            )
            found = backtest_run.read(own, result, copied)
        except BaseException:
            backtest_run.remove(at)
            raise
    for line in _lines(found, result, span, at):
        typer.echo(line)


def _span(start: str, end: str | None) -> "Span":
    from datetime import datetime

    from jobs.admin.backtest_run import Span
    from jobs.log.offsets import parse_time
    from jobs.running.errors import Refused

    def parse(option: str, text: str) -> datetime:
        try:
            return parse_time(text)
        except ValueError:
            raise Refused(f"{option} {text!r} is no time: give {TIME}.") from None

    span = Span(parse("--from", start), None if end is None else parse("--to", end))
    if span.end is not None and span.end <= span.start:
        raise Refused(f"--to {end} is not after --from {start}.")
    return span


def _files(records: "Iterable[str]") -> dict[str, Path]:
    """The file of each topic that has one."""
    from jobs.running.errors import Refused

    files = {}
    for text in records:
        topic, sign, file = text.partition("=")
        if not (topic and sign and file):
            raise Refused(f"--records {text!r} is no TOPIC=FILE, such as watches=new_rules.ndjson.")
        files[topic] = Path(file)
    return files


def _folder(places: "Places", folder: str | None, name: str) -> Path:
    """Where the backtest goes. Spark runs on this machine, so it is a folder of this machine."""
    from datetime import UTC, datetime

    from jobs.running.errors import Refused

    if folder is not None:
        if "://" in folder:
            raise Refused(f"--folder {folder}: a backtest needs a folder of this machine.")
        return Path(folder).absolute()
    beside = Path.cwd() if "://" in places.tables else Path(places.tables).parent
    return beside / "backtests" / f"{name}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"


def _lines(found: "Backtest", result: "Result", span: "Span", folder: Path) -> "Iterator[str]":
    from jobs.admin.backtest_run import PLACES_FILE, tables_topics

    name, tables = result.name, ", ".join(sorted(tables_topics(result)))
    earlier = f", and of {tables} all earlier ones" if tables else ""
    yield f"folder: {folder}"
    yield f"copied: {_counts_text(found.records)}, with record timestamps {span}{earlier}"
    for table in found.tables:
        final = "" if table.final is None else f", {table.final:,} final"
        outcomes = f"; {_counts_text(table.outcomes)}" if table.outcomes else ""
        yield f"{table.name}: {table.rows:,} rows{final}{outcomes}"
    became = f" ({_counts_text(dict(found.became_of_late))})" if found.became_of_late else ""
    yield f"late: {found.late:,} records{became}; quarantined: {found.quarantined:,}"
    yield f"look at it: headrace status {name} --places {folder / PLACES_FILE}"
    first = found.tables[0].name
    yield "in Python: from pathlib import Path; from jobs import run; from jobs.publishing import results"
    yield f"  results.pandas(run.places(Path({str(folder / PLACES_FILE)!r})), {first!r})"


def _counts_text(counts: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
