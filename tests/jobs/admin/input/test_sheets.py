"""CSV as records: no cell loses a character, and a column is of one kind."""

import csv
import gzip
import io
import json
import sys
import types
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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


LIKE_NUMBERS = st.from_regex(r"[-+]?[0-9]{0,22}([.,][0-9]{0,22})?([eE][+-]?[0-9]{1,4})?", fullmatch=True)
WORDS = st.sampled_from(
    ["true", "True", "false", "null", "NA", "nan", "inf", "1_000", " 5", "5 ", "-0", "007", "\u0661"]
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
CELLS = st.one_of(
    LIKE_NUMBERS, WORDS, TEXTS, st.sampled_from([",", ";", '"', "\r", "\n", "\t", "|", "\ufeff", "%s", ""])
)
NUMBERS = st.one_of(st.integers().map(str), st.decimals(allow_nan=False, allow_infinity=False).map(str), st.just(""))


def as_written(value: Any) -> str:
    """The cell that a value of JSON says it was."""
    return {True: "true", False: "false", None: ""}.get(value, value) if not isinstance(value, str) else value


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(
    st.integers(1, 4).flatmap(
        lambda width: (
            st.lists(st.tuples(*[st.one_of(CELLS, NUMBERS)] * width), max_size=6)
            | st.lists(st.tuples(*[NUMBERS] * width), max_size=6)
        )
    ),
    st.sampled_from([",", ";", "\t", "|", "~"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"]),
)
def test_every_cell_comes_back(tmp_path: Path, rows: list[tuple[str, ...]], delimiter: str, encoding: str) -> None:
    names = [f"c{index}%s" for index in range(len(rows[0]) if rows else 2)]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerows([names, *rows])
    file = tmp_path / "in.csv"
    file.write_bytes(text.getvalue().encode(encoding))
    records = made(file, key=names[0], delimiter=delimiter, encoding=encoding)
    found = objects(records)
    assert [tuple(as_written(row[name]) for name in names) for row in found] == rows
    assert [(key or b"").decode() for _, key, _ in records] == [row[0] for row in rows]
    for name in names:
        assert len({type(row[name]) for row in found if row[name] is not None}) <= 1


AS_NUMBERS = [
    ["10450236718892034417", "2846109357740128563"],
    ["0.9071635428190462738", "40213345678901234.56"],
    ["1.50", "2", "-0", "0.0"],
    ["1e-05", "1.5e300", "1E+3"],
    ["", "5", ""],
]
AS_TEXT = [
    ["007", "12"],
    ["12", "+5"],
    ["1", " 5"],
    ["1", "5 "],
    ["1", ".5"],
    ["1", "5."],
    ["1", "1_000"],
    ["1", "1,000"],
    ["1", "0x10"],
    ["1", "NaN"],
    ["1", "-inf"],
    ["1", "NA"],
    ["Null", "null", "N/A", "#N/A"],
    ["1", "true"],
    ["True", "true"],
    ["TRUE", "FALSE"],
    ["1", "--1"],
    ["1", "12e5"],
    ["1", "\u0661\u0662"],
    ["2013-01-01", "12"],
    ["1", "9" * 401],
    ["", ""],
]


@pytest.mark.parametrize("cells", AS_NUMBERS, ids=str)
def test_cells_that_are_numbers(tmp_path: Path, cells: list[str]) -> None:
    found = column(tmp_path / "in.csv", cells)
    assert found == [cell or None for cell in cells]
    assert {type(cell) for cell in found if cell} == {Number}


@pytest.mark.parametrize("cells", AS_TEXT, ids=str)
def test_one_cell_that_is_no_number_makes_its_column_text(tmp_path: Path, cells: list[str]) -> None:
    for order in (cells, cells[::-1]):
        found = column(tmp_path / "in.csv", order)
        assert found == order
        assert {type(cell) for cell in found} == {str}


def test_a_column_is_of_one_kind_over_all_rows_and_files(tmp_path: Path) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv.gz"
    one.write_text("id,n\n" + "1,1\n" * 5000 + "1,x\n")
    two.write_bytes(gzip.compress(b"n,id\n1,007\n"))
    found = objects(made(one, two))
    assert {type(row["n"]) for row in found} == {type(row["id"]) for row in found} == {str}
    assert found[-1] == {"n": "1", "id": "007"}


def test_words_for_null_are_named(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("n,name\nNA,NA\n1,Anna\n-,\n")
    found = objects(made(tmp_path / "in.csv", null=["NA", "-"]))
    assert found == [{"n": None, "name": None}, {"n": "1", "name": "Anna"}, {"n": None, "name": ""}]
    assert isinstance(found[1]["n"], Number)


def test_the_decimal_comma(tmp_path: Path) -> None:
    content = 'when;street;value;group;count\n2025-05-05;Mühlgasse, 3;12,5;1.234;7\n2025-05-06;"Am; ""Tor""";-0,50;5;\n'
    (tmp_path / "in.csv").write_bytes(content.encode("cp1252"))
    found = made(tmp_path / "in.csv", encoding="latin-1", delimiter=";", decimal_comma=True, key="value")
    assert [value.decode() for value, _, _ in found] == [
        '{"when":"2025-05-05","street":"Mühlgasse, 3","value":12.5,"group":"1.234","count":7}',
        '{"when":"2025-05-06","street":"Am; \\"Tor\\"","value":-0.50,"group":"5","count":null}',
    ]
    assert [key for _, key, _ in found] == [b"12.5", b"-0.50"]


@given(st.lists(st.from_regex(r"-?(0|[1-9][0-9]{0,22})(,[0-9]{1,22}(E-[0-9]{2})?)?", fullmatch=True), min_size=1))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_numbers_with_a_decimal_comma(tmp_path: Path, cells: list[str]) -> None:
    found = column(tmp_path / "in.csv", cells, decimal_comma=True)
    assert found == [cell.replace(",", ".") for cell in cells]
    assert {type(cell) for cell in found} == {Number}


def test_a_cut_gzip_file(tmp_path: Path) -> None:
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-20])
    assert "in.csv.gz is not a whole gzip file" in refused(tmp_path / "in.csv.gz")


def test_what_is_said_of_a_name_with_line_ends_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('"speed\nm/s",b\n1,2\n')
    assert "but speed m/s" in refused(tmp_path / "in.csv", key="speed m/s")


def test_names_for_a_file_without_header(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("1,anna\n\n2,bo\n")
    found = objects(made(tmp_path / "in.csv", columns='id,"name, short"'))
    assert found == [{"id": "1", "name, short": "anna"}, {"id": "2", "name, short": "bo"}]


@pytest.mark.parametrize("delimiter", ["tab", "\\t", None])
def test_tabs(tmp_path: Path, delimiter: str | None) -> None:
    file = tmp_path / ("in.tsv" if delimiter is None else "in.csv")
    file.write_text("a\tb,c\n1\tx,y\n")
    assert objects(made(file, delimiter=delimiter)) == [{"a": "1", "b,c": "x,y"}]


def test_a_file_of_one_column(tmp_path: Path) -> None:
    (tmp_path / "plain.csv").write_text("name\nAnna\n\n  \nBo\n")
    assert [row["name"] for row in objects(made(tmp_path / "plain.csv"))] == ["Anna", "  ", "Bo"]
    (tmp_path / "marks.csv").write_text("a;b|c\n1;2\n")
    assert objects(made(tmp_path / "marks.csv", delimiter=",")) == [{"a;b|c": "1;2"}]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path: Path, end: str) -> None:
    (tmp_path / "in.csv").write_text(f'a,b{end}1,"x\ry"{end}{end}2,z', newline="")
    assert objects(made(tmp_path / "in.csv")) == [{"a": "1", "b": "x\ry"}, {"a": "2", "b": "z"}]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_the_mark_before_the_first_name_is_no_part_of_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.csv").write_bytes('\ufeff"a, b",c\n1,2\n'.encode(encoding))
    assert objects(made(tmp_path / "in.csv", encoding=encoding, key="a, b")) == [{"a, b": "1", "c": "2"}]


def test_what_can_be_read_once_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(b"n\n1\nx\n")))
    assert objects(made("-")) == [{"n": "1"}, {"n": "x"}]
    monkeypatch.setattr(sys, "stdin", types.SimpleNamespace(buffer=io.BytesIO(gzip.compress(b"n\n1\n"))))
    assert "standard input is packed with gzip" in refused(Path("-"))


@pytest.mark.parametrize("what", [{"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "base64"}, {"columns": "a,,b"}])
def test_options_that_no_file_can_be_read_with(tmp_path: Path, what: dict[str, str]) -> None:
    assert f"--{next(iter(what))}" in refused(tmp_path / "in.csv", **what)


REFUSED = {
    "semicolons": (b"when;street;SECRET\n1;2;3\n", {}, ["row 1", "semicolons", "--delimiter ';'", "--delimiter ','"]),
    "tabs": (b"when\tSECRET\n1\t2\n", {}, ["row 1", "tabs", "--delimiter tab"]),
    "bars": (b"when|SECRET\n1|2\n", {}, ["row 1", "bars", "--delimiter '|'"]),
    "semicolons, and a comma in a name": (b"when;SECRET, m\n1;2,5\n", {}, ["row 1", "--delimiter ';'"]),
    "semicolons only in a row": (b"SECRET\n1\n2;3\n", {}, ["row 3", "--delimiter ';'"]),
    "tabs, given names": (b"1\tSECRET\n", {"columns": "a,b"}, ["row 1", "1 cells", "--delimiter tab"]),
    "a line for Excel": (b"sep=;\na;b\n", {"delimiter": ";"}, ["row 1", "Excel"]),
    "a number for a name": (b"SECRET,12.5\nb,13\n", {}, ["row 1", "column 2", "number", "--columns"]),
    "a day for a name": (b"SECRET,2025-05-05\n", {}, ["row 1", "column 2", "time", "--columns"]),
    "an instant for a name": (b"2025-05-05T08:00:00Z,SECRET\n", {}, ["row 1", "column 1", "time", "--columns"]),
    "a German day for a name": (b"SECRET,05.05.2025 08:00\n", {}, ["row 1", "column 2", "time", "--columns"]),
    "no name": (b",SECRET\n", {}, ["row 1", "column 1", "no name", "--columns"]),
    "a name twice": (b"SECRET,b,SECRET\n", {}, ["row 1", "columns 1 and 3", "same name", "--columns"]),
    "names twice over": (b"a,b\n1,2\n", {"columns": "a,b"}, ["--columns", "leave out"]),
    "too many cells": (b"a,b\n\n1,2\n1,2,SECRET\n", {}, ["row 4", "3 cells", "names 2", "quotation marks"]),
    "too few cells": (b'a,b\n"1\n",2\nSECRET\n', {}, ["row 3", "1 cells", "names 2"]),
    "more cells than names": (b"1,2,SECRET\n", {"columns": "a,b"}, ["row 1", "3 cells", "--columns names 2"]),
    "not UTF-8": ("a,b\n1,2\n1,SECRÉT\n".encode("latin-1"), {}, ["row 3", "not UTF-8", "--encoding latin-1"]),
    "UTF-8": ("a,b\n1,SECRÉT\n".encode(), {"encoding": "latin-1"}, ["UTF-8", "--encoding utf-8"]),
    "mark of UTF-8": (b"\xef\xbb\xbfa,b\n1,SECRET\n", {"encoding": "cp1252"}, ["--encoding utf-8"]),
    "UTF-16": ("a,b\n1,SECRET\n".encode("utf-16"), {}, ["UTF-16", "--encoding utf-16"]),
    "UTF-16 without a mark": ("a,b\n1,SECRET\n".encode("utf-16-be"), {}, ["UTF-16BE", "--encoding utf-16be"]),
    "UTF-16 that is none": (b"a,b\n1,SECRET\n", {"encoding": "utf-16"}, ["not utf-16", "--encoding"]),
    "UTF-16 taken for latin-1": ("a\n".encode("utf-16"), {"encoding": "latin-1"}, ["--encoding utf-16"]),
    "half a character": (
        "a,b\n1,2\n".encode("utf-16-le")[:-3] + b"\xd8",
        {"encoding": "utf-16le"},
        ["or later", "utf-16le"],
    ),
    "JSON": (b'{"SECRET": 1, "b": 2}\n', {}, ["row 1", "--format ndjson"]),
    "NUL": (b"a,b\n1,SECRET\0\n", {}, ["row 2", "NUL"]),
    "gzip": (gzip.compress(b"a,b\n1,SECRET\n"), {}, ["gzip", ".gz"]),
    "workbook": (b"PK\x03\x04SECRET", {}, ["workbook"]),
    "empty": (b"", {}, ["empty"]),
    "open quotation mark": (b'a,b\n1,2\n1,"SECRET\n1,2\n', {}, ["row 3", "quotation mark"]),
    "text behind a quotation mark": (b'a,b\n1,2\n1,"SECRET"x\n', {}, ["row 3", "quotation mark"]),
    "a lone carriage return": (b"a,b\n1,2\n1,SEC\rRET\n", {}, ["row 3", "carriage return"]),
    "no column for text": (b"a,b\n1,2\n", {"text": ["c"]}, ["no column c"]),
    "no column for the key": (b"station,b\n1,2\n", {"key": "staton"}, ["no column staton", "but station"]),
    "no column in data": (b"SECRET,b\n1,2\n", {"key": "name"}, ["no column name", "--columns"]),
}


@pytest.mark.parametrize(("content", "options", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(tmp_path: Path, content: bytes, options: dict[str, Any], words: list[str]) -> None:
    (tmp_path / "in.csv").write_bytes(content)
    said = refused(tmp_path / "in.csv", **options)
    for word in ["in.csv", *words]:
        assert word in said


def test_names_of_sensors_are_names(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("T12,24h,CO2,no 1,2nd\n1,2,3,4,5\n")
    assert list(objects(made(tmp_path / "in.csv"))[0]) == ["T12", "24h", "CO2", "no 1", "2nd"]


def test_long_cells_and_an_open_quotation_mark_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jobs.admin.input.csv_rows.MOST_CHARACTERS", 200_000)
    cell = "x" * 150_000
    (tmp_path / "in.csv").write_text(f'a,b\n1,{cell}\n2,"{cell}\n"\n')
    assert [row["b"] for row in objects(made(tmp_path / "in.csv"))] == [cell, cell + "\n"]
    (tmp_path / "in.csv").write_text('a,b\n1,"2\n' + "1,2\n" * 100_000)
    assert "row 2: a cell of more than 200,000 characters" in refused(tmp_path / "in.csv")
    (tmp_path / "in.csv").write_text("a,b\n1," + cell * 2)
    assert "row 2: longer than 200,000 characters" in refused(tmp_path / "in.csv")
