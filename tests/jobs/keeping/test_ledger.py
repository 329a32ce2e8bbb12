"""The ledger itself: rows follow one another, and a ledger of an older version is carried on."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pyspark.sql.types import StringType, StructField, StructType

from jobs.keeping import ledger
from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places
from schemas import ledger as ledger_schema
from tests import delta
from tests.jobs.keeping.world import places_in

FIRST = ledger.Row(sequence=1, kind="start", generation=1, batch_id=-1, end_offsets={0: 7})


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return places_in(tmp_path)


def test_a_ledger_without_the_columns_of_today_gets_them_with_the_next_row(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = ("log_home", "topic_id")
    old = StructType([field for field in ledger_schema.COLUMNS.fields if field.name not in new])
    with monkeypatch.context() as before:
        before.setattr(ledger_schema, "COLUMNS", old)
        ledger.create(places, "r_v1")
        ledger.write(places, "r_v1", FIRST)
    assert set(new).isdisjoint(delta.rows(places.table("r_v1_ledger"))[0])
    last = ledger.last(places, "r_v1")
    assert last and last.end_offsets == {0: 7} and last.log_home == ""
    ledger.write(places, "r_v1", replace(last.next("batch", end_offsets={0: 9}), log_home="kafka", topic_id="abc"))
    last = ledger.last(places, "r_v1")
    assert last and (last.sequence, last.end_offsets, last.log_home, last.topic_id) == (2, {0: 9}, "kafka", "abc")
    assert len(delta.rows(places.table("r_v1_ledger"))) == 2


def test_a_row_is_written_once(places: Places) -> None:
    ledger.create(places, "r_v1")
    ledger.write(places, "r_v1", FIRST)
    with pytest.raises(Refused, match="has a row 1 already"):
        ledger.write(places, "r_v1", FIRST)
    assert delta_tables.identity(places.table("r_v1_ledger"))[1] == 1


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (
            [field for field in ledger_schema.COLUMNS if field.name != "late"],
            "^late: in ledger.Row or in schemas/ledger.py",
        ),
        ([*ledger_schema.COLUMNS, StructField("more", StringType())], "^more: in ledger.Row or"),
    ],
)
def test_a_field_that_the_table_does_not_have_is_an_error_of_the_import(
    columns: list[StructField], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_schema, "COLUMNS", StructType(columns))
    found = importlib.util.spec_from_file_location("another_ledger", ledger.__file__)
    assert found and found.loader
    module = importlib.util.module_from_spec(found)
    monkeypatch.setitem(sys.modules, "another_ledger", module)  # dataclasses look there
    with pytest.raises(TypeError, match=said):
        found.loader.exec_module(module)
