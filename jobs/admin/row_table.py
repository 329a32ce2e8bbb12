"""Rows for people: a table on the terminal, and lines for programs."""

import base64
import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

import pyarrow as pa
from rich.table import Table
from rich.text import Text


def table(rows: pa.Table, title: str | None = None) -> Table:
    """All rows, numbers to the right. Fractions have one decimal; `lines` has all digits."""
    made = Table(title=title, title_justify="left", title_style="bold")
    for field in rows.schema:
        is_number = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        made.add_column(field.name, justify="right" if is_number else "left", overflow="fold")
    for row in rows.to_pylist():
        made.add_row(*(Text(_text(value)) for value in row.values()))
    return made


def lines(rows: pa.Table, *, as_csv: bool) -> Iterator[str]:
    """A line for each row, without its end: an object of JSON, or CSV after a line of names, in which null is empty."""
    if not as_csv:
        for row in rows.to_pylist():
            yield json.dumps({name: _plain(value) for name, value in row.items()}, ensure_ascii=False)
        return
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="")
    for cells in (rows.column_names, *(list(row.values()) for row in rows.to_pylist())):
        writer.writerow([_cell(cell) for cell in cells])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _text(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return "" if value is None else str(value).lower()
    if isinstance(value, float):
        return f"{value:,.1f}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, datetime):
        seconds = f":{value:%S}" if value.second or value.microsecond else ""
        return f"{value:%Y-%m-%d %H:%M}{seconds} UTC"
    return f"{len(value):,} bytes" if isinstance(value, bytes) else str(value)


def _cell(value: object) -> object:
    plain = _plain(value)
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, list | dict | bool) else plain


def _plain(value: Any) -> Any:
    """What JSON has for a value: times as ISO 8601, bytes in base64, decimals as texts with all their digits."""
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
