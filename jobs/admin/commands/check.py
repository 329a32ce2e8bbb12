"""headrace check: all mistakes of job files, before they are run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def check(
    jobs: Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files, such as jobs/departure_delay.py.")],
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Say all mistakes of job files at once, with file and line; nothing is written. Exit code 1 if any.

    Each statement is executed, and Spark looks at the transforms without records: do the columns that they name exist,
    and do the answers get those that they need? Does another result deliver to the same topic? The results' tables are
    named if all is well.
    """
    from functools import cache, partial

    from jobs.admin import job_check
    from jobs.answers.result import Result
    from jobs.run import LOCAL_PROFILE, session
    from jobs.running.errors import one_line_errors
    from jobs.running.java import profile
    from jobs.running.places import read_places

    find_places = partial(read_places, places) if places.exists() else None
    open_session = cache(lambda: session(profile(places.parent / LOCAL_PROFILE)))
    results: dict[str, Result] = {}
    is_faulty = False
    for job in jobs:
        with one_line_errors():
            found = job_check.check(job, open_session, find_places, results)
        results |= found.results
        is_faulty |= bool(found.faults)
        for fault in found.faults:
            typer.echo(fault)
        for name, tables in found.tables.items():
            typer.echo(f"{name}: no mistake found; its tables: {', '.join(tables)}")
        if not found.faults and not found.results:
            typer.echo(f"{job}: no mistake found; it has no result")
    sys.exit(1 if is_faulty else 0)
