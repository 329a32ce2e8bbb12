"""Rows of a CSV file as records: each row a JSON object, its types inferred by pyarrow.

Types are those of the first 16 MiB. Dates and times stay the text they are; an empty cell is null, or "" in text.
"""

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa
from pyarrow import csv

from jobs.admin.lines import Fields, Record, opened
from jobs.run import Refused

BLOCK_BYTES = 16 * 2**20
VALUE = re.compile(r"(invalid value|columns, got \d+|invalid UTF8 data).*", re.DOTALL)
"""From here on a message of pyarrow shows what stands in the file."""


def rows(name: str, fields: Fields, text: Sequence[str]) -> Iterator[Record]:
    """One record a row; the columns in `text` stay text.

    Raises Refused for a file that is not CSV in UTF-8, for a column that is not there, for a cell that is not of its
    column's type, and for a row whose key or timestamp cannot be read.
    """
    with tempfile.TemporaryFile() as spooled, opened(name) as stream:
        again: IO[bytes] = stream
        if not stream.seekable() or name == "-":
            shutil.copyfileobj(stream, spooled)
            spooled.seek(0)
            again = spooled
        yield from _records(name, again, fields, text)


def _records(name: str, stream: IO[bytes], fields: Fields, text: Sequence[str]) -> Iterator[Record]:
    columns: list[str] = []
    try:
        schema = _reader(stream, None).schema
        columns = schema.names
        _check(name, columns, [*text, *(field for field in (fields.key, fields.timestamp) if field)])
        stream.seek(0)
        types = {field.name: pa.string() if field.name in text else _type(field.type) for field in schema}
        number = 1
        for batch in _reader(stream, types):
            for row in batch.to_pylist():
                number += 1
                yield _record(f"{name}, row {number}", row, fields)
    except pa.ArrowInvalid as error:
        raise Refused(f"{name}: {_said(str(error), columns)}") from None


def _reader(stream: IO[bytes], types: dict[str, pa.DataType] | None) -> csv.CSVStreamingReader:
    return csv.open_csv(
        pa.PythonFile(stream, mode="r"),
        read_options=csv.ReadOptions(block_size=BLOCK_BYTES),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(column_types=types),
    )


def _type(inferred: pa.DataType) -> pa.DataType:
    plain = pa.types.is_integer(inferred) or pa.types.is_floating(inferred) or pa.types.is_boolean(inferred)
    return inferred if plain else pa.string()


def _check(name: str, columns: list[str], wanted: list[str]) -> None:
    if len(set(columns)) < len(columns):
        raise Refused(f"{name}: two columns have the same name.")
    for column in wanted:
        if column not in columns:
            raise Refused(f"{name}: there is no column {column}; there are {', '.join(columns)}.")


def _record(place: str, row: dict[str, object], fields: Fields) -> Record:
    try:
        value = json.dumps(row, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()
        return fields.record(value, row)
    except ValueError as why:
        said = "a number is not finite" if "JSON compliant" in str(why) else str(why)
        raise Refused(f"{place}: {said}.") from None


def _said(message: str, columns: list[str]) -> str:
    """The message of pyarrow, without what stands in the file, with the name of the column."""
    said = VALUE.sub(lambda found: found[1], message.splitlines()[0])
    number = re.search(r"In CSV column #(\d+)", said)
    if number and int(number[1]) < len(columns):
        column = columns[int(number[1])]
        return f"column {column}: {said}. Keep the column as text with --text {column}."
    return f"{said}."
