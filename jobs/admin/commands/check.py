"""headrace check: all mistakes of a job file, before it is run."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def check(
    job: Annotated[Path, typer.Argument(metavar="JOB", help="Job file, such as jobs/departure_delay.py.")],
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Say all mistakes of a job file at once, with file and line; nothing is written. Exit code 1 if any.

    Each statement is executed, and Spark looks at the transforms without records: do the columns that they name exist,
    and do the answers get those that they need? Does another result deliver to the same topic? The results' tables are
    named if all is well.
    """
    from functools import partial

    from jobs.admin import job_check
    from jobs.run import LOCAL_PROFILE, session
    from jobs.running.errors import one_line_errors
    from jobs.running.java import profile
    from jobs.running.places import read_places

    with one_line_errors():
        find_places = partial(read_places, places) if places.exists() else None
        found = job_check.check(job, lambda: session(profile(places.parent / LOCAL_PROFILE)), find_places)
    for fault in found.faults:
        typer.echo(fault)
    for name, tables in found.tables.items():
        typer.echo(f"{name}: no mistake found; its tables: {', '.join(tables)}")
    if not found.faults and not found.results:
        typer.echo(f"{job}: no mistake found; it has no result")
    sys.exit(1 if found.faults else 0)
