"""How a job is started: its places, its arguments, its Spark session, its exit code.

The only file that opens a SparkSession and that parses a job's arguments.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.running import diagnostics, java, jvm, project, spark_errors, stale_zip, worker_daemon
from jobs.running.arguments import check_interval, check_start
from jobs.running.errors import Mistake, Refused, explain, one_line_errors
from jobs.running.java import check_java, profile
from jobs.running.late_pandas import import_pandas_late_in_driver
from jobs.running.places import Places
from jobs.running.places import read_places as places
from jobs.running.progress import Progress
from jobs.running.stop import Listener, Stop

__all__ = [
    "LOCAL_PROFILE",
    "Mistake",
    "Places",
    "Progress",
    "Refused",
    "Run",
    "check_java",
    "explain",
    "one_line_errors",
    "places",
    "profile",
    "run_all",
    "session",
    "start",
]

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

NONE_GOOD = 3
"""Exit code of a run that has read records of which none was good: all are in quarantine."""

LOCAL_PROFILE = "spark-local.conf"
"""Spark settings beside the places file, for sessions that spark-submit did not start."""


@dataclass
class Run:
    """One run of a job: what it works with, and what it calls on its way."""

    spark: "SparkSession"
    places: Places
    continuous: str | None = None
    """Time between batches, such as "10 seconds"; None reads to the end of the log and stops."""
    start: str | None = None
    """Where the first run of a result begins: "earliest", "latest", Kafka's JSON of offsets, or a time; None: earliest.
    """
    topics: tuple[str, ...] = ()
    """Topics named as arguments, for a job that takes them."""
    accept_loss: bool = False
    """Whether to go on behind records that the log lost before they were read."""
    step: Callable[[str], None] = lambda _: None
    """Called with the name of each commit, "before panes" and "after panes" and so on."""
    closed: Callable[[str, Any, int | None], None] = lambda _name, _row, _lag: None
    """Called with the result's name, the ledger row of each closed batch, and the records left to read, if known; by
    jobs/kafka_archive.py with the topic and what one commit has added.
    """
    say: Callable[[str], None] = diagnostics.inform
    """Where a line for the person who started the run goes."""
    stop: Stop = field(default_factory=Stop)
    """Whether the run is asked to end before the log does."""

    def watch(self, query: "StreamingQuery", meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the query ends or the run is asked to stop, and call `meanwhile` each second. Raises the error of
        a query that failed; in a notebook, an interrupt ends the wait for a continuous one.
        """
        try:
            while not query.awaitTermination(timeout=1) and not self.stop.obey():
                meanwhile()
        except KeyboardInterrupt:
            if not self.continuous:
                raise
            self.say(f"{query.name}: stopping")


def session(settings: dict[str, str] | None = None) -> "SparkSession":
    """A Spark session: the one that spark-submit configured, or a new one with `settings` (see `profile`).

    Raises Refused if Java is missing, too old, or cannot start, if there are no jars, or if this user has no name.
    """
    java.check_java()
    java.check_user()
    java.check_jars(settings or {})
    java.prepare()
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    if SparkSession.getActiveSession() is None:
        diagnostics.inform("starting Java and Spark, which takes 5 to 15 seconds")
    spark_errors.silence()
    builder = SparkSession.builder
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise Refused(f"Java did not start: {str(error).splitlines()[0]} See its words above.") from None
    jvm.pin_locale(spark)
    worker_daemon.show_project(spark)
    return spark


def parser(topics: bool = False, description: str | None = None) -> argparse.ArgumentParser:
    """What a job file takes as arguments; `topics`: names of topics too."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    if topics:
        made.add_argument("topics", nargs="+", help="topics of the log")
    made.add_argument("--places", type=Path, default=project.places_file(), help="where things are")
    made.add_argument("--continuous", metavar="INTERVAL", help='keep running, a batch each "10 seconds"')
    made.add_argument(
        "--start",
        help='where a first run begins: earliest, latest, a time such as 2025-05-05T08:00:00Z, {"topic": {"0": 12}}',
    )
    made.add_argument("--accept-loss", action="store_true", help="go on behind records that the log has lost")
    return made


def start(main: Callable[[Run], Any], topics: bool = False) -> None:
    """Run a job file as a program: arguments in, exit code out. `topics`: it takes names of topics as arguments.

    Raises Mistake if the file is being imported and not run.
    """
    caller = sys._getframe(1)
    if caller.f_code.co_name == "<module>" and caller.f_globals.get("__name__") != "__main__":
        raise Mistake('jobs.run.start is called while this file is imported: put it under if __name__ == "__main__":')
    arguments = parser(topics, sys.modules["__main__"].__doc__).parse_args()
    import_pandas_late_in_driver()
    options = {name: getattr(arguments, name) for name in ("continuous", "start", "accept_loss")}
    topic_names = tuple(arguments.topics) if topics else ()
    if not run_all({"done": main}, arguments.places, topics=topic_names, **options):
        sys.exit(NONE_GOOD)


def run_all(mains: Mapping[str, Callable[[Run], Any]], places_file: Path, **options: Any) -> bool:
    """Run the functions `main` of job files one after another in one session, each by the name in its last line.

    `options` are those of Run. Returns whether of each at least one record was good, or none was read. What a person
    can mend ends the program in one line. Ctrl-C and SIGTERM end it after the batch at work; see stop.Listener.
    """
    with one_line_errors():
        stale_zip.check(getattr(sys.modules["__main__"], "__file__", None))
        check_interval(options["continuous"])
        check_start(options["start"])
        where = places(places_file)
    all_good, stop = True, Stop()
    with Listener(stop) as listener, one_line_errors(where.kafka, diagnostics.fail):
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ
        settings = None if submitted else profile(places_file.parent / LOCAL_PROFILE)
        spark = session(settings)
        java.check_names(spark, where, places_file)
        listener.begin(spark)
        for name, main in mains.items():
            if stop.obey():
                break
            progress = Progress()
            main(Run(spark, where, closed=progress.count, stop=stop, **options))
            progress.end(name, is_early=stop.is_obeyed and not options["continuous"])
            all_good &= not progress.none_good
    if stop.is_obeyed and not options["continuous"]:
        sys.exit(stop.exit_code)
    return all_good


def __getattr__(name: str) -> Any:
    if name == "job":
        raise Mistake("run.job is jobs.run.start now: from jobs.run import Run, start, and at the end: start(main)")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
