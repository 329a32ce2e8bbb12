"""Instants as numbers and as SQL, against numbers worked out by hand and what DataFusion reads."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, QueryBuilder, write_deltalake

from jobs.running import instants

MOMENT = datetime(2000, 2, 29, 23, 59, 59, 7, UTC)
FAR, LAST = datetime(2300, 5, 1, 8, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)
MICROSECOND = timedelta(microseconds=1)
MICROS = ((30 * 365 + 7 + 59 + 1) * 86_400 - 1) * 1_000_000 + 7
"""Thirty years with seven leap days, then 59 days of January and February and the leap day itself, less a second."""


def test_microseconds_since_1970() -> None:
    assert instants.to_micros(MOMENT) == MICROS
    assert instants.from_micros(MICROS) == MOMENT
    assert instants.to_micros(MOMENT.astimezone(timezone(timedelta(hours=-5)))) == MICROS
    assert instants.to_micros(datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC)) == -1
    assert instants.from_micros(0).utcoffset() == timedelta(0)


def test_a_timestamp_of_kafka_beyond_the_calendar_is_its_end() -> None:
    assert instants.from_kafka(MICROS // 1000) == MOMENT.replace(microsecond=0)
    assert instants.from_kafka(-1) == datetime(1969, 12, 31, 23, 59, 59, 999_000, UTC)
    assert instants.from_kafka(instants.to_micros(LAST) // 1000) == LAST.replace(microsecond=999_000)
    assert instants.from_kafka(instants.to_micros(LAST) // 1000 + 1) == LAST == instants.from_kafka(2**63 - 1)


@pytest.mark.parametrize("moment", [MOMENT, instants.EPOCH + MICROSECOND, FAR])
def test_a_table_is_searched_by_a_literal(tmp_path: Path, moment: datetime) -> None:
    times = [moment - MICROSECOND, moment, moment + MICROSECOND]
    write_deltalake(tmp_path, _table(times))
    query = QueryBuilder().register("t", DeltaTable(tmp_path))
    sql = f"select at from t where at >= {instants.sql_literal(moment)} order by at"
    assert pa.table(query.execute(sql).read_all())["at"].to_pylist() == times[1:]


def test_a_write_by_a_literal_leaves_far_instants_of_the_same_file_as_they_are(tmp_path: Path) -> None:
    write_deltalake(tmp_path, _table([MOMENT, FAR, LAST]))
    for moment in (MOMENT, LAST):
        write_deltalake(tmp_path, _table([moment]), mode="overwrite", predicate=f"at = {instants.sql_literal(moment)}")
        assert sorted(DeltaTable(tmp_path).to_pyarrow_table()["at"].to_pylist()) == [MOMENT, FAR, LAST]


def _table(times: list[datetime]) -> pa.Table:
    return pa.table({"at": pa.array(times, pa.timestamp("us", "UTC"))})
