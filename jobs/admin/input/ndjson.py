"""Lines of text as records: newline-delimited JSON, or lines as they are.

A record's value is the line's bytes, unchanged. Messages name file and line, never its content.
"""

import json
import re
from collections.abc import Iterator
from typing import IO, Any, NoReturn

from jobs.admin.input.files import HEAD_BYTES, argument, check_unpacked, display_name, encoding_of
from jobs.admin.input.records import Fields, NoField, Record
from jobs.running.errors import Refused

MARK = b"\xef\xbb\xbf"
"""What some programs write before the first character of UTF-8."""
KEEP_BAD = "--keep-bad writes such lines as they are"
JQ_ARRAY = "jq -c '.[]'"
ARRAY = re.compile(rb'\s*\[\s*($|[\[{"\]]|(true|false|null|-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?)\s*([,\]]|$))')
"""How an array of JSON begins, and a line of a log such as [2025-05-05 08:00:00] does not."""


def ndjson(name: str, stream: IO[bytes], fields: Fields, keep_bad: bool) -> Iterator[Record]:
    """One record a line; empty lines are left out.

    A line that is not JSON, or lacks the key's or the timestamp's field, raises Refused; with `keep_bad` it is a record
    without a key, of now. A key that is null is no key. Refused in any case: a file that is one array, an object over
    several lines, UTF-16 or packed, and a file without a line that has the key's and the timestamp's field.
    """
    good, lacking = False, None
    for number, line in enumerate(_lines(name, stream), 1):
        value = line.removesuffix(b"\n").removesuffix(b"\r")
        if number == 1:
            value = value.removeprefix(MARK)
        if not value.strip():
            continue
        try:
            record = fields.record(value, _decode(name, value))
            good = True
        except ValueError as why:
            if not keep_bad:
                raise Refused(f"{display_name(name)}, line {number}: {why}.") from None
            if isinstance(why, NoField):
                lacking = why
            record = value, None, fields.clock()
        yield record
    if lacking and not good:
        raise Refused(f"{display_name(name)}: not one line is good; the last fault is: {lacking}.")


def _lines(name: str, stream: IO[bytes]) -> Iterator[bytes]:
    """The lines; of the first that is not empty the beginning is looked at before the rest is read: it may be large."""
    while line := stream.readline(HEAD_BYTES):
        is_text = bool(line.removeprefix(MARK).strip())
        if is_text:
            _check_head(name, line.removeprefix(MARK))
        yield line if line.endswith(b"\n") else line + stream.readline()
        if is_text:
            break
    yield from stream


def _check_head(name: str, head: bytes) -> None:
    check_unpacked(name, head)
    encoding = encoding_of(head)
    if encoding:
        raise Refused(
            f"{display_name(name)} is in {encoding.upper()}, JSON is wanted in UTF-8: "
            f"{_command(f'iconv -f {encoding} -t utf-8', name)}."
        )
    if ARRAY.match(head):
        raise Refused(
            f"{display_name(name)} is a JSON array, one object a line is wanted: {_command(JQ_ARRAY, name)} "
            "writes it so."
        )
    if head.strip() == b"{":
        raise Refused(
            f"{display_name(name)} holds a JSON object over several lines, one object a line is wanted: "
            f"{_command('jq -c .', name)} writes it so."
        )


def _command(words: str, name: str) -> str:
    return f"{words} {argument(name)}".strip()


def _decode(name: str, value: bytes) -> Any:
    """What the line holds, numbers as the text they are. Raises ValueError, with a reason that shows no value."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        iconv = _command("iconv -f latin1 -t utf-8", name)
        raise ValueError(f"not UTF-8. If the file is in latin-1: {iconv}. {KEEP_BAD}") from None
    try:
        return _DECODER.decode(text)
    except RecursionError:
        raise ValueError(f"not JSON, nested too deep. {KEEP_BAD}") from None
    except json.JSONDecodeError as error:
        if text.lstrip().startswith("{") and error.pos >= len(text.rstrip()):
            jq = _command("jq -c .", name)
            raise ValueError(f"the line ends within an object. If it goes on, {jq} joins it. {KEEP_BAD}") from None
        csv = "" if "{" in text else "For CSV give --format csv. "
        raise ValueError(f"not JSON. {csv}{KEEP_BAD}") from None


def _no_number(_: str) -> NoReturn:
    raise ValueError(f"not JSON, which has neither NaN nor Infinity. {KEEP_BAD}")


_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=_no_number)


def raw(stream: IO[bytes], fields: Fields) -> Iterator[Record]:
    """One record a line, whatever it holds, without a key."""
    for line in stream:
        yield line.removesuffix(b"\n"), None, fields.clock()
