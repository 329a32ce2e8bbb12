"""Newline-delimited JSON as records, and files that are something else."""

import gzip
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.admin.input.ndjson import ndjson
from jobs.admin.input.records import Fields, Record
from jobs.running.errors import Refused


def made(content: bytes, key: str | None = None, timestamp: str | None = None, keep_bad: bool = False) -> list[Record]:
    return list(ndjson("my file.ndjson", io.BytesIO(content), Fields(key, timestamp, lambda: 0), keep_bad))


def refused(content: bytes, key: str | None = None, timestamp: str | None = None, keep_bad: bool = False) -> str:
    with pytest.raises(Refused) as error:
        made(content, key, timestamp, keep_bad)
    said = str(error.value)
    assert said.startswith("my file.ndjson")
    assert "SECRET" not in said
    assert "\n" not in said
    return said


OTHER_FILES = {
    "array": (b'[{"SECRET": 1}, {"a": 2}]', "jq -c '.[]' 'my file.ndjson'"),
    "array over lines": (b'\n  \n[\n  {"SECRET": 1},\n  {"a": 2}\n]\n', "jq -c '.[]' 'my file.ndjson'"),
    "array with a mark": (b'\xef\xbb\xbf[ {"SECRET": 1} ]', "jq -c '.[]' 'my file.ndjson'"),
    "array of numbers": (b"[1.5, 2]\n", "jq -c '.[]' 'my file.ndjson'"),
    "array of numbers over lines": (b"[1,\n2]\n", "jq -c '.[]' 'my file.ndjson'"),
    "large array": (b'[{"SECRET": 1}' + b',{"a": 2}' * 1_000_000 + b"]", "jq -c '.[]' 'my file.ndjson'"),
    "empty array": (b"[]", "jq -c '.[]' 'my file.ndjson'"),
    "object over lines": (b'{\n  "SECRET": 1\n}\n', "jq -c . 'my file.ndjson'"),
    "object over lines, with a mark": (b'\xef\xbb\xbf\n{ \r\n  "SECRET": 1\r\n}', "jq -c . 'my file.ndjson'"),
    "UTF-16": ('{"a": "SECRET"}\n'.encode("utf-16"), "iconv -f utf-16 -t utf-8 'my file.ndjson'"),
    "UTF-16 without a mark": ('{"a": "SECRET"}\n'.encode("utf-16-le"), "iconv -f utf-16le -t utf-8"),
    "UTF-16, the other way round": ('{"a": "SECRET"}\n'.encode("utf-16-be"), "iconv -f utf-16be -t utf-8"),
    "UTF-32": ('{"a": "SECRET"}\n'.encode("utf-32"), "iconv -f utf-32 -t utf-8"),
    "gzip": (gzip.compress(b'{"a": "SECRET"}\n'), ".gz"),
}


@pytest.mark.parametrize("keep_bad", [False, True])
@pytest.mark.parametrize(("content", "remedy"), OTHER_FILES.values(), ids=OTHER_FILES.keys())
def test_a_file_of_another_kind_is_named(content: bytes, remedy: str, keep_bad: bool) -> None:
    said = refused(content, keep_bad=keep_bad)
    assert remedy in said
    assert "--keep-bad" not in said


BAD_LINES = {
    "no JSON": (b"SECRET,1\n", ["line 1: not JSON", "--format csv", "--keep-bad"]),
    "a log": (b"[2025-05-05 08:00:00] SECRET\n", ["line 1: not JSON", "--keep-bad"]),
    "later": (b'{"a": 1}\n\n{"SECRET": NaN}\n', ["line 3: not JSON", "--keep-bad"]),
    "goes on": (b'{"SECRET": 1,\n"b": 2}\n', ["line 1: ", "ends within an object", "jq -c . ", "--keep-bad"]),
    "goes on, later": (b'{"a": 1}\n{"SECRET": {\n"b": 2}}\n', ["line 2: ", "ends within", "jq -c . ", "--keep-bad"]),
    "latin-1": ('{"a": 1}\n{"a": "SÉCRET SECRET"}\n'.encode("latin-1"), ["line 2: not UTF-8", "iconv -f latin1"]),
    "deep": (b'{"a":' * 100_000, ["line 1: not JSON", "nested", "--keep-bad"]),
}


@pytest.mark.parametrize(("content", "words"), BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_line_that_is_not_json(content: bytes, words: list[str]) -> None:
    said = refused(content)
    for word in words:
        assert word in said
    assert [value for value, _, _ in made(content, keep_bad=True)] == [line for line in content.split(b"\n") if line]


@pytest.mark.parametrize(
    ("line", "option"),
    [
        (b'{"at": "2013-01-01T00:00:00Z", "name": "SECRET"}', "check --key"),
        (b'{"id": "SECRET"}', "check --timestamp"),
        (b'{"id": {"SECRET": 1}, "at": 0}', "check --key"),
        (b'{"id": "SECRET", "at": "SECRET"}', "check --timestamp"),
        (b'{"id": "SECRET", "at": 1}', "--timestamp-unit"),
        (b'{"id": "SECRET", "at": null}', "check --timestamp"),
    ],
)
def test_a_wrong_option_is_doubted_and_not_the_line(line: bytes, option: str) -> None:
    good = b'{"id": "a", "at": 1357012800}'
    said = refused(good + b"\n" + line, "id", "at")
    assert "line 2" in said
    assert option in said
    assert "--keep-bad" not in said
    assert made(good + b"\n" + line, "id", "at", keep_bad=True)[1] == (line, None, 0)


def test_bad_lines_are_not_kept_if_no_line_has_the_field() -> None:
    said = refused(b'{"id": "SECRET"}\n' * 3, "uid", keep_bad=True)
    assert "check --key" in said


NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)


@given(NUMBERS)
def test_a_number_as_key_keeps_its_characters(number: str) -> None:
    line = f'{{"id": {number}}}'.encode()
    assert made(line, "id") == [(line, number.encode(), 0)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_as_key_keeps_its_characters(text: str) -> None:
    line = json.dumps({"id": text}).encode()
    assert made(line, "id") == [(line, text.encode(), 0)]


@pytest.mark.parametrize("key", [None, "id"])
def test_large_values_stay_as_they_are(key: str | None) -> None:
    lines = [f'{{"id" :"a","n":{"7" * 10_000}}}', json.dumps({"id": "b", "text": "\u00e5\\/" * 1_000_000})]
    lines += ['{"id": "c", "x": "' + "\u2028" * 1000 + '", "x": 1.0E+2}  ']
    assert [value.decode() for value, _, _ in made("\n".join(lines).encode(), key)] == lines
