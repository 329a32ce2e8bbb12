"""headrace restate: what versions that have come late would change, before it is done."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.keeping.restatement import Forecast


def restate(
    name: Annotated[str, typer.Argument(help="Result with Enriched or StoredQueries, such as order_value_v1.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be restated, and write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show which rows of events the versions that wait would restate, and what that costs; then run the job.

    Versions wait that batches have read and no publish has taken in yet, and those in the log that no batch has read.
    What follows is a scheduled run of the result, which takes in all that the log has, and restates on its way; it asks
    first, and is refused while the job runs. With --dry-run the job may run meanwhile.
    """
    from jobs.admin.catalogue import find
    from jobs.keeping import microbatch, restatement
    from jobs.run import LOCAL_PROFILE, Run, session
    from jobs.running.errors import one_line_errors
    from jobs.running.java import profile
    from jobs.running.places import read_places

    home = read_places(places)
    result = find(name, job)
    with one_line_errors(home.kafka):
        run = Run(session(profile(places.parent / LOCAL_PROFILE)), home, say=typer.echo)
        for line in _lines(name, restatement.forecast(run, result)):
            typer.echo(line)
        if dry_run:
            return
        if not yes:
            typer.confirm(f"run {name}?", abort=True)
        microbatch.keep(run, result)


def _lines(name: str, found: "Forecast") -> "Iterator[str]":
    waiting = found.read + found.unread
    yield f"{name}: {waiting:,} changes wait for a publish: {found.read:,} in its tables, {found.unread:,} in the log"
    for one in found.answers:
        if one.first_micros is None or one.last_micros is None:
            yield f"{one.table}: no row would be restated"
        else:
            span = f"{_text(one.first_micros)} to {_text(one.last_micros)}"
            yield f"{one.table}: {one.rows:,} rows of {one.keys:,} keys would be restated, of events from {span}"
            files = f"{one.files:,} of its files ({one.file_bytes / 1e6:,.1f} MB)"
            yield f"{one.table}: at most {files} would be written anew, with their {one.file_rows:,} rows"
        if one.too_early:
            yield (
                f"{one.table}: {one.too_early:,} versions are valid from before the events that are kept: the rows of "
                "earlier ones would stay as they are"
            )


def _text(micros: int) -> str:
    from jobs.running.instants import from_micros

    return from_micros(micros).isoformat()
