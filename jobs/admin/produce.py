"""headrace produce: records from files or the standard input into a topic."""

import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.admin.lines import Fields, Record


class Format(StrEnum):
    """How records stand in a file."""

    NDJSON = "ndjson"
    CSV = "csv"


def produce(
    topic: Annotated[str, typer.Argument(help="Topic to append to; made if it is not there.")],
    files: Annotated[list[str] | None, typer.Argument(help="Files, .gz too; none or - is the standard input.")] = None,
    key: Annotated[str | None, typer.Option(help="Field that is the record key; it chooses the partition.")] = None,
    timestamp: Annotated[
        str | None,
        typer.Option(help="Field that is the record timestamp: ISO-8601 with a zone, or s or ms since 1970. Else now."),
    ] = None,
    format: Annotated[Format | None, typer.Option(help="Format of the files; else by their names.")] = None,
    partitions: Annotated[
        int | None, typer.Option(help="Partitions of a new topic, 4 if not given; fixed from then on.")
    ] = None,
    retention: Annotated[
        str | None,
        typer.Option(help='How long a new topic of Kafka keeps records: "7 days", forever. Else as the broker says.'),
    ] = None,
    text: Annotated[list[str] | None, typer.Option(help="CSV column that stays text; may be repeated.")] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Every line is a value as it is, JSON or not.")] = False,
    keep_bad: Annotated[
        bool,
        typer.Option("--keep-bad", help="Write a line that is not JSON as it is, without a key, instead of refusing."),
    ] = False,
    commit_every: Annotated[
        int | None, typer.Option(min=1, help="Commit after so many records; else all is one commit or nothing.")
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Append records to a topic of the log: newline-delimited JSON, CSV or raw lines."""
    from jobs import run
    from jobs.admin.lines import Fields, batches
    from jobs.sinks import kafka_producer
    from jobs.sinks.archive import append

    names = files or ["-"]
    if raw and (key or timestamp or text or keep_bad or format):
        raise run.Refused("--raw takes lines as they are; leave out --key, --timestamp, --text, --format, --keep-bad.")
    csv = [name for name in names if _format(name, format) is Format.CSV and not raw]
    if text and len(csv) < len(names):
        raise run.Refused("--text is for CSV; give CSV files alone.")
    if keep_bad and csv:
        raise run.Refused("--keep-bad is for lines of JSON; CSV rows that cannot be read are refused.")
    home = run.places(places)
    fields = Fields(key, timestamp, lambda: time.time_ns() // 1000)

    def found() -> "Iterator[pa.RecordBatch]":
        return batches(_records(names, fields, format, text or [], raw, keep_bad))

    if home.log == "kafka":
        assert home.kafka
        if commit_every:
            raise run.Refused("--commit-every is for the archive; Kafka takes each record by itself.")
        known = timestamp is not None and all(Path(name).is_file() for name in names)
        oldest = (lambda: _oldest_ms(found())) if known else None
        done = kafka_producer.append(home.kafka, topic, partitions, found(), _retention_ms(retention), oldest)
    else:
        if retention is not None:
            raise run.Refused("--retention is for Kafka; records leave the archive with `headrace retain` alone.")
        done = append(home.archive, topic, partitions, found(), commit_every)
    where = home.kafka.servers if home.log == "kafka" and home.kafka else home.archive
    typer.echo(f"{topic}: {done.records} records into {len(done.ranges)} partitions of {where}")


def _retention_ms(words: str | None) -> int | None:
    """What is said of a new topic's retention, in milliseconds; -1 is forever. Raises Refused."""
    from jobs.broker.topic_retention import FOREVER
    from jobs.run import Mistake, Refused
    from jobs.transforms import durations

    if words is None or words.strip() == "forever":
        return None if words is None else FOREVER
    try:
        return durations.seconds(words) * 1000
    except Mistake as error:
        raise Refused(f"--retention: {error}, or forever.") from None


def _oldest_ms(records: "Iterator[pa.RecordBatch]") -> int | None:
    """The least timestamp of all, milliseconds since the epoch. Files are read once more for it: Kafka takes no record
    back, and half of a file in it would be doubled by the next try.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    least = (pc.min(batch["timestamp"].cast(pa.int64())).as_py() for batch in records)
    return min((time // 1000 for time in least), default=None)


def _format(name: str, given: Format | None) -> Format:
    if given is not None:
        return given
    return Format.CSV if name.removesuffix(".gz").endswith(".csv") else Format.NDJSON


def _records(
    names: list[str], fields: "Fields", given: Format | None, text: list[str], raw: bool, keep_bad: bool
) -> "Iterator[Record]":
    from jobs.admin import lines
    from jobs.admin.rows import rows

    for name in names:
        if not raw and _format(name, given) is Format.CSV:
            yield from rows(name, fields, text)
            continue
        with lines.opened(name) as stream:
            shown = "standard input" if name == lines.STANDARD_INPUT else name
            yield from lines.raw(stream, fields) if raw else lines.ndjson(shown, stream, fields, keep_bad)
