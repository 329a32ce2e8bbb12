"""The topic's schema file decides what the columns of CSV are."""

import json
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pyspark.sql.types import DoubleType, IntegerType, StringType, TimestampType

import schemas
from jobs.admin.input.topic_schema import column_types
from jobs.running.errors import Mistake
from tests.jobs.admin.csv_records import made, objects, refused

SCHEMA = """
from pyspark.sql.types import *

TOPIC = "meters"
COLUMNS = StructType([
    StructField("id", StringType()),
    StructField("at", TimestampType()),
    StructField("day", DateType()),
    StructField("small", ByteType()),
    StructField("whole", IntegerType()),
    StructField("long", LongType()),
    StructField("double", DoubleType()),
    StructField("float", FloatType()),
    StructField("price", DecimalType(6, 2)),
    StructField("ok", BooleanType()),
    StructField("tags", ArrayType(StringType())),
    StructField("in (°C)", DoubleType()),
])
"""


@pytest.fixture
def schema_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Path]]:
    """Writes a file that stands in the package `schemas` for the time of the test."""
    folder = tmp_path / "more_schemas"
    folder.mkdir()
    monkeypatch.setattr(schemas, "__path__", [*schemas.__path__, str(folder)])
    before = set(sys.modules)

    def write(name: str, content: str) -> Path:
        (folder / f"{name}.py").write_text(content)
        return folder / f"{name}.py"

    yield write
    for name in set(sys.modules) - before:
        if name.startswith("schemas."):
            del sys.modules[name]
            monkeypatch.delattr(schemas, name.removeprefix("schemas."), raising=False)


def test_types_of_a_topic() -> None:
    found = column_types("departures")
    assert found["flight"] == IntegerType()
    assert found["tail_number"] == StringType()
    assert found["scheduled_departure_time"] == TimestampType()
    assert column_types("no such topic") == {}


def test_a_broken_file_stops_its_own_topic_alone(schema_file: Callable[[str, str], Path]) -> None:
    schema_file("meters", SCHEMA)
    schema_file("broken_import", 'TOPIC = "broken"\n\nimport no_such_module\n')
    schema_file("broken_syntax", "TOPIC: str = 'torn'\nCOLUMNS = (\n\n")
    schema_file("broken_anyhow", "1 / 0\n")
    assert column_types("meters")["double"] == DoubleType()
    with pytest.raises(Mistake, match=r"schemas/broken_import\.py.*ModuleNotFoundError in line 3"):
        column_types("broken")
    with pytest.raises(Mistake, match=r"schemas/broken_syntax\.py.*SyntaxError in line 2"):
        column_types("torn")


def test_of_two_files_that_differ_neither_is_heard(schema_file: Callable[[str, str], Path]) -> None:
    schema_file("meters", SCHEMA)
    schema_file("meters_again", SCHEMA.replace('"whole", IntegerType', '"whole", StringType'))
    found = column_types("meters")
    assert "whole" not in found
    assert found["double"] == DoubleType()


def test_the_schema_file_decides(tmp_path: Path, schema_file: Callable[[str, str], Path]) -> None:
    schema_file("meters", SCHEMA)
    (tmp_path / "in.csv").write_text(
        "id,at,day,small,whole,long,double,float,price,ok,tags,more\n"
        "1,2025,20250505,-128,-2147483648,9223372036854775807,1e5,0.10,-9999.990,true,,1\n"
        "true,,,,,,,,,,,2\n"
    )
    found = made(tmp_path / "in.csv", topic="meters")
    assert [value.decode() for value, _, _ in found] == [
        '{"id":"1","at":"2025","day":"20250505","small":-128,"whole":-2147483648,"long":9223372036854775807,'
        '"double":1e5,"float":0.10,"price":-9999.990,"ok":true,"tags":null,"more":1}',
        '{"id":"true","at":null,"day":null,"small":null,"whole":null,"long":null,"double":null,"float":null,'
        '"price":null,"ok":null,"tags":null,"more":2}',
    ]


WRONG = [
    ("small", "128"),
    ("whole", "2147483648"),
    ("whole", "1.5"),
    ("whole", "5.0"),
    ("whole", "007"),
    ("whole", "NA"),
    ("long", "9223372036854775808"),
    ("double", "1e400"),
    ("double", "NaN"),
    ("double", "1,5"),
    ("double", " 1"),
    ("float", "4e38"),
    ("price", "12345.00"),
    ("price", "0.001"),
    ("price", "1e5"),
    ("ok", "True"),
    ("ok", "1"),
    ("tags", '["a"]'),
    ("in (°C)", "warm"),
]


@pytest.mark.parametrize(("column", "cell"), WRONG)
def test_a_cell_of_another_type_is_refused(
    tmp_path: Path, schema_file: Callable[[str, str], Path], column: str, cell: str
) -> None:
    schema_file("meters", SCHEMA)
    quoted = cell.replace('"', '""')
    (tmp_path / "in.csv").write_text(f'other,{column}\nSECRET,\nSECRET,"{quoted}"\n')
    said = refused(tmp_path / "in.csv", topic="meters")
    for word in ("row 3", f"column {column}", "schema", f"--text {shlex.quote(column)}"):
        assert word in said
    assert f" {cell} " not in said
    found = made(tmp_path / "in.csv", topic="meters", text=[column])
    assert [json.loads(value)[column] for value, _, _ in found] == ["", cell]


def test_a_decimal_comma_in_a_declared_column(tmp_path: Path, schema_file: Callable[[str, str], Path]) -> None:
    schema_file("meters", SCHEMA)
    (tmp_path / "in.csv").write_text('id,double,price,whole\n1,"1,5","2,50",3\n')
    assert objects(made(tmp_path / "in.csv", topic="meters", decimal_comma=True)) == [
        {"id": "1", "double": "1.5", "price": "2.50", "whole": "3"}
    ]
    assert "--decimal-comma" in refused(tmp_path / "in.csv", topic="meters")
    (tmp_path / "in.csv").write_text("id,double\n1,1.234\n")
    assert "a point in a number" in refused(tmp_path / "in.csv", topic="meters", decimal_comma=True)
