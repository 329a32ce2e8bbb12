"""The records that CSV files become, as the commands make them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from jobs.admin.input.cells import Kind
from jobs.admin.input.csv_options import CsvOptions
from jobs.admin.input.records import Fields, Record
from jobs.admin.input.sheets import Sheet
from jobs.running.errors import Refused


class Number(str):
    """A number of JSON, with the characters that it has there."""


def made(*files: Path | str, topic: str = "no topic", key: str | None = None, **options: Any) -> list[Record]:
    reading = CsvOptions(**options).reading_of(topic)
    sheets = [Sheet(str(file), reading, Fields(key, None, lambda: 0)) for file in files]
    kinds: dict[str, Kind] = {}
    for sheet in sheets:
        sheet.look(kinds)
    return [record for sheet in sheets for record in sheet.records(kinds)]


def objects(records: Sequence[Record]) -> list[dict[str, Any]]:
    return [json.loads(value, parse_int=Number, parse_float=Number) for value, _, _ in records]


def column(path: Path, cells: Sequence[str], **options: Any) -> list[Any]:
    """What becomes of a column of these cells, beside another one."""
    path.write_text("x,other\n" + "".join(f'"{cell}",o\n' for cell in cells), newline="")
    return [row["x"] for row in objects(made(path, **options))]


def refused(*files: Path, **options: Any) -> str:
    with pytest.raises(Refused) as error:
        made(*files, **options)
    said = str(error.value)
    assert "\n" not in said
    assert "SECRET" not in said
    return said
