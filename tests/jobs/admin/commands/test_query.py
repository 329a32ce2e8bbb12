"""headrace query: SQL over tables of results, as a table, as JSON, as CSV."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from jobs.publishing import named_tables
from jobs.running.errors import Refused
from tests.jobs.admin import command

MORNING = datetime(2025, 5, 5, 8, tzinfo=UTC)
ROWS = pa.table(
    {
        "at": pa.array([MORNING, None], pa.timestamp("us", "UTC")),
        "Site": ["Bern, [bold]", 'the "old" one'],
        "mean": [1234.5678, None],
        "exact": pa.array([Decimal("0.10"), Decimal("12345678901234567.89")], pa.decimal128(38, 2)),
        "sketch": pa.array([b"\x00\xff", None], pa.binary()),
        "parts": [[1, 2], None],
        "first": [True, False],
    }
)


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A places file, with the tables a_v1 and Odd name."""
    for name in ("a_v1", "Odd name"):
        write_deltalake(tmp_path / "tables" / name, ROWS)
    file = tmp_path / "places.toml"
    file.write_text('archive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n')
    return file


@pytest.fixture
def ask(places: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """What the command prints, whose exit code must be that."""

    def run(*arguments: str, code: int = 0) -> str:
        assert command.run("query", *arguments, "--places", str(places)) == code
        printed = capsys.readouterr()
        return printed.err if code else printed.out

    return run


def test_as_json_nothing_is_rounded(ask: Callable[..., str]) -> None:
    rows = [json.loads(line) for line in ask("select * from a_v1 order by mean", "--json").splitlines()]
    assert rows == [
        {
            "at": "2025-05-05T08:00:00+00:00", "Site": "Bern, [bold]", "mean": 1234.5678, "exact": "0.10",
            "sketch": "AP8=", "parts": [1, 2], "first": True,
        },
        {
            "at": None, "Site": 'the "old" one', "mean": None, "exact": "12345678901234567.89",
            "sketch": None, "parts": None, "first": False,
        },
    ]  # fmt: skip


def test_as_csv_any_reader_finds_the_cells(ask: Callable[..., str]) -> None:
    said = ask("select Site, mean, exact, parts, first from a_v1 order by mean", "--csv")
    assert list(csv.reader(io.StringIO(said))) == [
        ["Site", "mean", "exact", "parts", "first"],
        ["Bern, [bold]", "1234.5678", "0.10", "[1, 2]", "true"],
        ['the "old" one', "", "12345678901234567.89", "", "false"],
    ]


def test_a_table_for_people(ask: Callable[..., str]) -> None:
    said = ask('with a as (select * from "Odd name") select at, mean, sketch, Site from a where mean > 1')
    assert all(word in said for word in ("2025-05-05 08:00 UTC", "1,234.6", "2 bytes", "Bern, [bold]", "1 row"))


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("select * from b_v1", "there is no table b_v1 in"),
        ("select nothing from a_v1", "nothing"),
        ("select * frm a_v1 where (", "the query is no SQL"),
    ],
)
def test_what_cannot_be_answered_is_told(ask: Callable[..., str], sql: str, said: str) -> None:
    assert said in ask(sql, code=1)


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select 1", ()),
        ('select * from A a join "B" on true where exists (select * from c)', ("A", "B", "c")),
        ("with t as (select * from x) select * from t, x union select * from y", ("x", "y")),
        ("select * from generate_series(1, 3)", ()),
    ],
)
def test_the_tables_that_a_query_names(sql: str, names: tuple[str, ...]) -> None:
    assert sorted(named_tables.names(sql)) == sorted(names)


def test_what_is_no_query_is_told() -> None:
    with pytest.raises(Refused, match="the query is no SQL"):
        named_tables.names("select from where (")
