"""How a job is started: its places, its arguments, its Spark session, its exit code.

The only file that opens a SparkSession and that parses a job's arguments.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from jobs.broker.access import Kafka
from jobs.running import spark_errors
from jobs.running.arguments import check_interval, check_start
from jobs.running.errors import Mistake, Refused, explain, one_line_errors
from jobs.running.progress import Progress

__all__ = ["Mistake", "Places", "Progress", "Refused", "Run", "explain", "job", "one_line_errors", "places", "session"]

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

JAVA_AT_LEAST = 17
"""Spark 4 needs this version of Java."""

SCHEMES = ("s3", "gs", "abfss", "hdfs")
"""Storage that Spark, deltalake and pyarrow know by the same name."""

LOCAL_PROFILE = "spark-local.conf"
"""Spark settings beside the places file, for sessions that spark-submit did not start."""


class Places(BaseModel):
    """Where things are. Says nothing about what numbers mean: that is written in the job file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    log: Literal["archive", "kafka"] = "archive"
    """The home of the log."""
    kafka: Kafka | None = None
    """How the broker is reached, if one is used."""
    archive: str
    """Delta table that holds the records of every topic."""
    tables: str
    """Folder of the results' tables."""
    checkpoints: str
    """Folder of the checkpoints: a cache that may be deleted."""

    @model_validator(mode="after")
    def _reachable(self) -> "Places":
        if self.log == "kafka" and self.kafka is None:
            raise ValueError('log = "kafka" needs a table [kafka] with servers = "host:port"')
        for name in ("archive", "tables"):
            scheme, there, _ = getattr(self, name).partition("://")
            if there and scheme not in SCHEMES:
                remedy = "a path that all machines mount, or " + ", ".join(f"{known}://" for known in SCHEMES)
                also = "; for Spark set spark.hadoop.fs.s3.impl, see the README" if scheme == "s3a" else ""
                raise ValueError(f"{name} is on {scheme}://, which not all that read it know: give {remedy}{also}")
        return self

    def table(self, name: str) -> str:
        """Path of the Delta table `name`."""
        return f"{self.tables}/{name}"


def places(path: Path) -> Places:
    """Read a places file; relative paths start at its folder.

    Raises Refused when the file is not there, is not TOML, or has an unknown, missing or wrong field.
    """
    try:
        raw = tomllib.loads(path.read_text())
    except OSError as error:
        raise Refused(f"cannot read the places file {path}: {error.strerror}. Name one with --places.") from None
    except ValueError as error:
        raise Refused(f"{path} is not TOML: {error}.") from None
    for field_ in ("archive", "tables", "checkpoints"):
        if isinstance(raw.get(field_), str) and "://" not in raw[field_]:
            raw[field_] = str((path.resolve().parent / raw[field_]).resolve())
    try:
        return Places.model_validate(raw, context={"folder": path.resolve().parent})
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise Refused(f"{path}: {where}{': ' if where else ''}{first['msg'].removeprefix('Value error, ')}.") from None


@dataclass
class Run:
    """One run of a job: what it needs, and who watches it."""

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
    """Called with the result's name, the ledger row of each closed batch, and the records left to read, if known."""
    say: Callable[[str], None] = field(default=lambda line: print(line, file=sys.stderr, flush=True))
    """Where a line for the person who started the run goes."""

    def watch(self, query: "StreamingQuery", meanwhile: Callable[[], None] = lambda: None) -> None:
        """Wait until the query ends, and do `meanwhile` each second. Raises what it failed with; an interrupt stops a
        continuous one in order.
        """
        try:
            while not query.awaitTermination(timeout=1):
                meanwhile()
        except KeyboardInterrupt:
            if not self.continuous:
                raise
            self.say(f"{query.name}: stopping")


def check_java() -> None:
    """Raises Refused if there is no Java, or one that is too old for Spark."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home) / "bin" / "java") if home else shutil.which("java")
    remedy = f"Install Java {JAVA_AT_LEAST} or newer, and set JAVA_HOME if it is not found."
    if not java or not Path(java).exists():
        raise Refused(f"there is no Java {'at ' + java if java else 'on the PATH'}. {remedy}")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found or int(found[1]) < JAVA_AT_LEAST:
        raise Refused(f"{java} is Java {found[1] if found else 'of an unknown version'}, which is too old. {remedy}")


def profile(path: Path) -> dict[str, str]:
    """The settings of a Spark properties file in conf/. Raises Refused if it cannot be read.

    Paths under .jars/ and conf/ start at the folder above conf, wherever the process was started.
    """
    try:
        lines = path.read_text().splitlines()
    except OSError as error:
        raise Refused(f"cannot read the Spark profile {path}: {error.strerror}.") from None
    pairs = (line.split(None, 1) for line in lines if line.strip() and not line.lstrip().startswith("#"))
    root = path.resolve().parent.parent
    above = "" if root == Path.cwd() else f"{root}/"
    return {name: re.sub(r"(?<![\w/])(?=(?:\.jars|conf)/)", above, value.strip()) for name, value in pairs}


def session(settings: dict[str, str] | None = None) -> "SparkSession":
    """A Spark session: the one that spark-submit configured, or a new one with `settings` (see `profile`).

    Raises Refused if Java is missing, too old, or cannot start.
    """
    check_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    spark_errors.silence()
    builder = SparkSession.builder
    for name, value in (settings or {}).items():
        builder = builder.config(name, value)
    try:
        spark = builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise Refused(f"Java did not start: {str(error).splitlines()[0]} See its words above.") from None
    return spark


def job(main: Callable[[Run], Any], topics: bool = False) -> None:
    """Run a job file as a program: arguments in, exit code out. `topics`: it takes names of topics as arguments.

    Raises Mistake if the file is being imported and not run.
    """
    caller = sys._getframe(1)
    if caller.f_code.co_name == "<module>" and caller.f_globals.get("__name__") != "__main__":
        raise Mistake('run.job starts while this file is imported: put it under if __name__ == "__main__":')
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    if topics:
        parser.add_argument("topics", nargs="+", help="topics of the log")
    parser.add_argument("--places", type=Path, default=Path("conf/local.toml"), help="where things are")
    parser.add_argument("--continuous", metavar="INTERVAL", help='keep running, a batch each "10 seconds"')
    parser.add_argument(
        "--start",
        help='where a first run begins: earliest, latest, a time such as 2025-05-05T08:00:00Z, {"topic": {"0": 12}}',
    )
    parser.add_argument("--accept-loss", action="store_true", help="go on behind records that the log has lost")
    arguments = parser.parse_args()
    with one_line_errors():
        check_interval(arguments.continuous)
        check_start(arguments.start)
        where = places(arguments.places)
        submitted = "PYSPARK_GATEWAY_PORT" in os.environ
        settings = None if submitted else profile(arguments.places.parent / LOCAL_PROFILE)
        spark = session(settings)
        watch = Progress()
        given = {name: getattr(arguments, name) for name in ("continuous", "start", "accept_loss")}
        named = tuple(arguments.topics) if topics else ()
        main(Run(spark, where, topics=named, closed=watch.closed, **given))
        watch.end("done")
