"""The text of the test of a table whose changes are followed: what an insertion and a deletion must give."""

from collections.abc import Mapping
from typing import Any

from jobs.admin.new.columns import NewColumn, NewTable
from jobs.admin.new.record_schema import literal
from jobs.admin.new.record_test import python_text
from jobs.admin.new.sample import Sample

_SAME = ("LongType()", "IntegerType()", "ShortType()", "StringType()", "BooleanType()")
"""Types of which JSON and the table have the same values."""
_ENVELOPE = """    source = {"name": "test", "sequence": f'["{lsn}","{lsn}"]', "ts_ms": 1_735_689_600_000 + lsn}
    before, after = (ROW, None) if op == "d" else (None, ROW)
    value = {"op": op, "before": before, "after": after, "source": source}
"""
_FLAT = """    change = {"__op": op, "__deleted": "true" if op == "d" else "false"}
    value = ROW | change | {"__source_sequence": f'["{lsn}","{lsn}"]', "__source_ts_ms": 1_735_689_600_000 + lsn}
"""


def text(name: str, table: NewTable, is_flat: bool, row: Mapping[str, Any]) -> str:
    """The test file; `row`: of the sample, see `pick`."""
    key = [column for column in table.columns if column.is_key]
    shown = python_text(dict(row), 0, len("ROW: dict[str, Any] = "))
    long = "  # noqa: E501" if len(shown.splitlines()[0]) > 120 - len("ROW: dict[str, Any] = ") else ""
    modules = [f"from jobs.{name} import RESULT", "from jobs.testing.plugin import RunResult"]
    imports = "\n".join(sorted(modules))
    return f'''"""What jobs/{name}.py makes of a few changes."""

import json
from datetime import UTC, datetime
from typing import Any

{imports}

ROW: dict[str, Any] = {shown}{long}
"""Of the sample, as Debezium writes it. Better: rows of which you know what they look like in the table."""
KEY = json.dumps({{name: ROW[name] for name in {_names(key)}}})


def change(op: str, lsn: int) -> tuple[Any, Any, datetime]:
    """A record: the row is inserted (c), updated (u) or deleted (d) at this place in the log of the database."""
{_FLAT if is_flat else _ENVELOPE}    return KEY, value, datetime(2025, 1, 1, tzinfo=UTC)


def test_the_last_change_counts(run_result: RunResult) -> None:
    """And the same if the log comes in several batches: cuts=1 tries that once."""
    rows = run_result(RESULT, [change("c", 1), change("u", 2)], cuts=1)
    assert rows.quarantine == []
    assert {_claim(key, row)}


def test_a_deleted_row_is_gone_whatever_comes_first(run_result: RunResult) -> None:
    rows = run_result(RESULT, [change("d", 2), change("c", 1)])
    assert rows.quarantine == []
    assert (len(rows), len(rows.table("deleted"))) == (0, 1)
'''


def pick(sample: Sample, table: NewTable) -> dict[str, Any] | None:
    """The columns of the first row that has all of its key; None if there is none."""
    key = [column.name for column in table.columns if column.is_key]
    names = [column.name for column in table.columns]
    rows = ({name: row[name] for name in names if name in row} for row in sample.rows)
    return next((row for row in rows if all(row.get(name) is not None for name in key)), None)


def _names(key: list[NewColumn]) -> str:
    names = ", ".join(literal(column.name) for column in key)
    return f"({names},)" if len(key) == 1 else f"({names})"


def _claim(key: list[NewColumn], row: Mapping[str, Any]) -> str:
    """What is known of the rows: their keys, where the table has the values of JSON."""
    if not all(column.kind in _SAME for column in key):
        return "len(rows) == 1"
    selected = ", ".join(literal(column.name) for column in key)
    values = ", ".join(python_text(row[column.name], 0) for column in key)
    return f"rows.select({selected}) == [({values}{',' if len(key) == 1 else ''})]"
