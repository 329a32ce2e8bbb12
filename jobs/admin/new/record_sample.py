"""Records of a topic of events as a sample has them: objects of JSON, from lines, from rows of CSV, or from the log."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NoReturn

from jobs.admin.input import files, ndjson
from jobs.admin.input.cells import Kind
from jobs.admin.input.csv_options import CsvOptions
from jobs.admin.input.records import Fields
from jobs.admin.input.sheets import Sheet
from jobs.admin.new.sample import FROM_LOG
from jobs.log import home
from jobs.running.errors import Refused
from jobs.running.places import Places

MOST_RECORDS = 10_000
"""Of a file only the first ones are looked at."""
CSV = (".csv", ".tsv")
"""Endings of files with rows of CSV; .gz may follow."""


@dataclass(frozen=True)
class RecordSample:
    """What a sample holds."""

    where: str
    """What it was read from, for messages."""
    rows: list[dict[str, Any]]
    """The values that are objects."""
    keys: list[bytes | None]
    """The keys of these records; none at all if it is a file, which has none."""
    unread: int
    """Records that are no JSON object: a job puts them into quarantine."""


def is_change(row: Mapping[str, Any]) -> bool:
    """Whether it is Debezium's envelope of a change, or has one as its payload."""
    payload = row.get("payload")
    envelope = payload if isinstance(payload, dict) else row
    return "op" in envelope and "source" in envelope and ("before" in envelope or "after" in envelope)


def is_csv(path: Path) -> bool:
    """Whether its name says so."""
    return path.name.removesuffix(".gz").endswith(CSV)


def of_file(path: Path, topic: str, csv: CsvOptions) -> RecordSample:
    """The first records of a file, as `headrace produce` would write them. Raises Refused if it cannot be read, or has
    no JSON object.
    """
    values = _csv_values(path, topic, csv) if is_csv(path) else _json_values(path)
    return _sample(str(path), ((None, value) for value in islice(values, MOST_RECORDS)), has_keys=False)


def _json_values(path: Path) -> Iterator[bytes]:
    with files.open_file(str(path)) as stream:
        for value, _, _ in ndjson.ndjson(str(path), stream, Fields(None, None, lambda: 0), keep_bad=True):
            yield value


def _csv_values(path: Path, topic: str, csv: CsvOptions) -> Iterator[bytes]:
    sheet, kinds = Sheet(str(path), csv.reading_of(topic), Fields(None, None, lambda: 0)), dict[str, Kind]()
    sheet.look(kinds)
    for value, _, _ in sheet.records(kinds):
        yield value


def of_log(places: Places, topic: str) -> RecordSample:
    """The first records of each partition of the topic. Raises Refused if it is not there, or none is an object."""
    try:
        extents = home.extents(places, topic)
    except Refused as error:
        raise Refused(f"{error} Or give a sample of its records: --sample FILE.") from None
    records = [
        home.records(places, topic, extent.partition, extent.first_offset, FROM_LOG)
        for extent in extents
        if extent.first_offset is not None
    ]
    pairs = ((key, value) for found in records for key, value in
             zip(found["key"].to_pylist(), found["value"].to_pylist(), strict=True))  # fmt: skip
    return _sample(f"topic {topic}", pairs, has_keys=True)


def _sample(where: str, records: Iterable[tuple[bytes | None, bytes | None]], has_keys: bool) -> RecordSample:
    rows, keys, unread = [], [], 0
    for key, value in records:
        row = _object(value)
        if row is None:
            unread += 1
        else:
            rows.append(row)
            keys.append(key)
    if not rows:
        raise Refused(
            f"{where} has no record that is a JSON object: a schema file says which fields such objects have."
        )
    return RecordSample(where, rows, keys if has_keys else [], unread)


def _object(value: bytes | None) -> dict[str, Any] | None:
    try:
        found = json.loads(value or b"", parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _refuse(_: str) -> NoReturn:
    raise ValueError("JSON has neither NaN nor Infinity")
