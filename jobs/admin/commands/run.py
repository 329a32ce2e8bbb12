"""headrace run: job files, in this process and one session of Spark."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def run(
    jobs: Annotated[list[Path], typer.Argument(metavar="JOB...", help="Job files, such as jobs/departure_delay.py.")],
    places: PlacesFile = DEFAULT_PLACES,
    continuous: Annotated[
        str | None, typer.Option(metavar="INTERVAL", help='Keep running, a batch each "10 seconds"; of one job.')
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="Where a first run begins: earliest, latest, a time, offsets as JSON.")
    ] = None,
    accept_loss: Annotated[
        bool, typer.Option("--accept-loss", help="Go on behind records that the log has lost.")
    ] = False,
    topic: Annotated[
        list[str] | None, typer.Option(metavar="TOPIC", help="For a job that takes topics; may be repeated.")
    ] = None,
) -> None:
    """Run job files one after another on this machine: each reads the log to its end. Java is started once.

    Ends with exit code 1 and one line if something is wrong, and 3 if of a job no record was good. Ctrl-C or SIGTERM
    stop it after the batch at work: 130 or 143, of a continuous run 0. A cluster takes the same job files by
    spark-submit.
    """
    from jobs.admin import catalogue
    from jobs.run import NONE_GOOD, run_all
    from jobs.running.errors import Refused
    from jobs.running.late_pandas import import_pandas_late_in_driver

    if continuous and len(jobs) > 1:
        raise Refused("a continuous run does not end, so no second job would begin: start one process for each job.")
    import_pandas_late_in_driver()
    mains = {}
    for file in jobs:
        try:
            module = catalogue.load(file)
        except (Exception, SystemExit) as error:
            raise Refused(catalogue.why_not_loaded(error)) from None
        if not callable(getattr(module, "main", None)):
            raise Refused(f"{file} has no function main: it is no job file.")
        mains[file.stem] = module.main
    options = {"continuous": continuous, "start": start, "accept_loss": accept_loss, "topics": tuple(topic or ())}
    if not run_all(mains, places, **options):
        sys.exit(NONE_GOOD)
