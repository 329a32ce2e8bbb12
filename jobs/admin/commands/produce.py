"""headrace produce: records from files or the standard input into a topic."""

import sys
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.input.csv_options import Columns, CsvOptions, DecimalComma, Delimiter, Encoding, Null, Text
from jobs.admin.input.times import Unit
from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.admin.input.files import Advance
    from jobs.admin.input.records import Fields, Record
    from jobs.admin.input.sheets import Reading


class Format(StrEnum):
    """How records are written in a file."""

    NDJSON = "ndjson"
    CSV = "csv"


Key = Annotated[str | None, typer.Option(help="Field that is the record key; it chooses the partition.")]
Timestamp = Annotated[
    str | None,
    typer.Option(help="Field that is the record timestamp: ISO-8601 with a zone, or a number since 1970. Else now."),
]
TimestampUnit = Annotated[
    Unit | None,
    typer.Option(
        metavar="UNIT",
        help="Unit of a timestamp that is a number: seconds, milliseconds, microseconds, nanoseconds. Else one of the "
        "first two by its size, and only in the years 1980 to 2099.",
    ),
]
FileFormat = Annotated[Format | None, typer.Option(help="Format of the files. Else .csv and .tsv are CSV.")]
Partitions = Annotated[int | None, typer.Option(help="Partitions of a new topic, 4 if not given; fixed from then on.")]
Retention = Annotated[
    str | None,
    typer.Option(help='How long a new topic of Kafka keeps records: "7 days", forever. Else as the broker says.'),
]
KeepBad = Annotated[
    bool,
    typer.Option("--keep-bad", help="Write a line that is not JSON as it is, without a key, instead of refusing."),
]
CommitEvery = Annotated[
    int | None, typer.Option(min=1, help="Commit after so many records; else all is one commit or nothing.")
]


def produce(
    topic: Annotated[str, typer.Argument(help="Topic to append to; made if it is not there.")],
    files: Annotated[list[str] | None, typer.Argument(help="Files, .gz too; none or - is the standard input.")] = None,
    key: Key = None,
    timestamp: Timestamp = None,
    timestamp_unit: TimestampUnit = None,
    format: FileFormat = None,
    partitions: Partitions = None,
    retention: Retention = None,
    raw: Annotated[bool, typer.Option("--raw", help="Every line is a value as it is, JSON or not.")] = False,
    keep_bad: KeepBad = False,
    commit_every: CommitEvery = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    decimal_comma: DecimalComma = False,
    columns: Columns = None,
    text: Text = None,
    null: Null = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Append records to a topic of the log: newline-delimited JSON, CSV or raw lines."""
    from contextlib import nullcontext

    from jobs.admin.input.files import STANDARD_INPUT, total_bytes
    from jobs.admin.input.records import Fields, batches
    from jobs.log.archive.writer import append
    from jobs.log.kafka import producer
    from jobs.running import work_progress
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    names = files or ["-"]
    if raw and (key or timestamp or keep_bad or format):
        raise Refused("--raw takes lines as they are; leave out --key, --timestamp, --format, --keep-bad.")
    if timestamp_unit and not timestamp:
        raise Refused("--timestamp-unit is the unit of --timestamp, which is not given.")
    csv = CsvOptions(delimiter, encoding, decimal_comma, columns, text, null)
    formats = {name: None if raw else _format(name, format) for name in names}
    _check_csv(csv, list(formats.values()), keep_bad)
    home = read_places(places)
    fields = Fields(key, timestamp, lambda: time.time_ns() // 1000, timestamp_unit)
    reading = csv.reading_of(topic) if Format.CSV in formats.values() else None

    def record_batches(read: "Advance" = lambda _: None) -> "Iterator[pa.RecordBatch]":
        return batches(_records(names, formats, fields, reading, keep_bad, read))

    size = total_bytes(names)  # of what is read once, no record is counted beforehand

    def records_with(advance: "Advance") -> "Iterator[pa.RecordBatch]":
        return work_progress.count_rows(record_batches(), advance) if size is None else record_batches(advance)

    is_typed = STANDARD_INPUT in names and sys.stdin.buffer.isatty()
    of_work = work_progress.show(f"{topic}: producing", size, "records" if size is None else "bytes")
    shown = nullcontext(lambda _: None) if is_typed else of_work
    if home.log == "kafka":
        assert home.kafka
        if commit_every:
            raise Refused("--commit-every is for the archive; Kafka takes each record by itself.")
        is_rereadable = timestamp is not None and all(Path(name).is_file() for name in names)
        oldest = (lambda: _oldest_ms(record_batches())) if is_rereadable else None
        kept_ms = _retention_ms(retention)
        with shown as advance:
            done = producer.append(home.kafka, topic, partitions, records_with(advance), kept_ms, oldest)
    else:
        if retention is not None:
            raise Refused("--retention is for Kafka; records leave the archive with `headrace retain` alone.")
        with shown as advance:
            done = append(home.archive, topic, partitions, records_with(advance), commit_every)
    where = home.kafka.servers if home.log == "kafka" and home.kafka else home.archive
    # Nobody but the person can tell whether the same file was taken twice, and then each number doubles.
    before = sum(start for start, _ in done.ranges.values())
    after = f", behind {before:,} that were there" if before else ""
    typer.echo(f"{topic}: {done.records:,} records into {len(done.ranges)} partitions of {where}{after}")


def _retention_ms(words: str | None) -> int | None:
    """The retention of a new topic, in milliseconds; -1 is forever, None the broker's default. Raises Refused."""
    from jobs.log.kafka.topic_retention import FOREVER
    from jobs.running import durations
    from jobs.running.errors import Mistake, Refused

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
    return Format.CSV if name.removesuffix(".gz").endswith((".csv", ".tsv")) else Format.NDJSON


def _check_csv(csv: CsvOptions, formats: list[Format | None], keep_bad: bool) -> None:
    from jobs.running.errors import Refused

    if csv.option_names() and set(formats) != {Format.CSV}:
        raise Refused(f"{csv.option_names()[0]} is for CSV: give CSV files alone, or --format csv.")
    if keep_bad and Format.CSV in formats:
        raise Refused("--keep-bad is for lines of JSON; CSV rows that cannot be read are refused.")


def _records(
    names: list[str],
    formats: dict[str, Format | None],
    fields: "Fields",
    reading: "Reading | None",
    keep_bad: bool,
    advance: "Advance",
) -> "Iterator[Record]":
    """The records of the files in their order; all of the CSV files are looked at before the first record. `advance`
    is told of the bytes of the files as their records are read.
    """
    from jobs.admin.input import files, ndjson
    from jobs.admin.input.sheets import Sheet

    sheets = [Sheet(name, reading, fields) if reading and formats[name] is Format.CSV else None for name in names]
    kinds: dict = {}
    for sheet in sheets:
        if sheet:
            sheet.look(kinds)
    for name, sheet in zip(names, sheets, strict=True):
        if sheet:
            yield from sheet.records(kinds, advance)
            continue
        with files.open_file(name, advance) as stream:
            yield from ndjson.ndjson(name, stream, fields, keep_bad) if formats[name] else ndjson.raw(stream, fields)
