"""Instants as numbers and as SQL, against numbers worked out by hand and what DataFusion and DuckDB read."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from jobs.running import instants

MOMENT = datetime(2000, 2, 29, 23, 59, 59, 7, UTC)
MICROS = ((30 * 365 + 7 + 59 + 1) * 86_400 - 1) * 1_000_000 + 7
"""Thirty years with seven leap days, then 59 days of January and February and the leap day itself, less a second."""


def test_microseconds_since_1970() -> None:
    assert instants.to_micros(MOMENT) == MICROS
    assert instants.from_micros(MICROS) == MOMENT
    assert instants.to_micros(MOMENT.astimezone(timezone(timedelta(hours=-5)))) == MICROS
    assert instants.to_micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)) == -1
    assert instants.from_micros(0).utcoffset() == timedelta(0)


@pytest.mark.parametrize("moment", [MOMENT, instants.EPOCH, datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)])
def test_a_literal_is_the_instant(moment: datetime) -> None:
    literal = instants.sql_literal(moment)
    assert duckdb.execute(f"select epoch_us(timestamptz {literal})").fetchall() == [(instants.to_micros(moment),)]


def test_a_table_is_searched_by_a_literal(tmp_path: Path) -> None:
    times = [MOMENT - timedelta(microseconds=1), MOMENT, MOMENT + timedelta(microseconds=1)]
    write_deltalake(tmp_path, pa.table({"at": pa.array(times, pa.timestamp("us", "UTC"))}))
    query = QueryBuilder().register("t", DeltaTable(tmp_path))
    rows = pa.table(
        query.execute(f"select at from t where at >= {instants.sql_literal(MOMENT)} order by at").read_all()
    )
    assert rows["at"].to_pylist() == times[1:]
