"""Rows of a CSV file as lists of text, each with its number: nothing is converted here, and nothing is guessed.

A row ends with its line, but in quotes a cell may hold line ends, delimiters, and quotation marks written twice.
"""

import codecs
import csv
import io
from collections.abc import Generator, Iterator
from typing import IO

from jobs.admin.input.files import HEAD_BYTES, check_unpacked, display_name, encoding_of
from jobs.admin.input.ndjson import MARK
from jobs.running.errors import Refused

Row = tuple[int, list[str]]
"""Its number, 1 for the first line of the file, and its cells."""

MOST_CHARACTERS = 16 * 2**20
"""Of a cell, and of a line."""
PROBED_CHARACTERS = 65_536
"""So much of a file says how its lines end."""
ONE_BYTE = ("iso8859", "cp125", "koi8", "mac")
"""Encodings in which any bytes are text, also those of UTF-8."""


def rows(name: str, stream: IO[bytes], delimiter: str, encoding: str) -> Generator[Row, None, None]:
    """The rows of a file that can be read from its start; empty lines are counted and left out.

    Raises Refused, with the row's number, for bytes that are not of the encoding, for NUL, for quotation marks that do
    not fit, and for a cell or a line of more than MOST_CHARACTERS.
    """
    _check_head(name, stream, encoding)
    csv.field_size_limit(MOST_CHARACTERS)
    text = _text_stream(stream, encoding, "")
    number = 0
    try:
        # Where lines end with \n, a lone \r ends no row, as it does in files of old Macs.
        line_end = "\n" if "\n" in text.read(PROBED_CHARACTERS) else ""
        text.detach()
        stream.seek(0)
        text = _text_stream(stream, encoding, line_end)
        for number, cells in enumerate(csv.reader(_lines(text, encoding), delimiter=delimiter, strict=True), 1):
            if cells:
                yield number, cells
    except csv.Error as error:
        raise Refused(f"{display_name(name)}, row {number + 1}: {_csv_fault(str(error))}.") from None
    except UnicodeError:
        raise Refused(f"{display_name(name)}, row {number + 1} or later: {_not_in(encoding)}.") from None
    except ValueError as why:
        raise Refused(f"{display_name(name)}, row {number + 1}: {why}.") from None
    finally:
        text.detach()


def _text_stream(stream: IO[bytes], encoding: str, line_end: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, encoding, errors="surrogateescape", newline=line_end)


def _check_head(name: str, stream: IO[bytes], encoding: str) -> None:
    head = stream.read(HEAD_BYTES)
    stream.seek(0)
    check_unpacked(name, head)
    actual, named = encoding_of(head), codecs.lookup(encoding).name
    if actual and not named.startswith(("utf-16", "utf-32")):
        raise Refused(f"{display_name(name)} is in {actual.upper()}: give --encoding {actual}.")
    if head.startswith(MARK) and not named.startswith("utf-8"):
        raise Refused(f"{display_name(name)} begins with the mark of UTF-8: give --encoding utf-8.")


def _lines(text: io.TextIOWrapper, encoding: str) -> Iterator[str]:
    """The lines, line ends as they are. Raises ValueError, with a reason that shows nothing of them."""
    first, looks_utf8 = True, False
    is_doubtful = codecs.lookup(encoding).name.startswith(ONE_BYTE)
    while line := text.readline(MOST_CHARACTERS + 1):
        if first:
            line, first = line.removeprefix("\ufeff"), False
        if len(line) > MOST_CHARACTERS:
            raise ValueError(f"longer than {MOST_CHARACTERS:,} characters")
        if "\0" in line:
            raise ValueError("a NUL character. Is the file in UTF-16? Then give --encoding utf-16, else mend the row")
        if not line.isascii():
            if not _is_text(line):
                raise ValueError(_not_in(encoding))
            looks_utf8 = is_doubtful = is_doubtful and _is_utf8(line, encoding)
        yield line
    if looks_utf8:
        raise ValueError(f"all of the file up to here is UTF-8, not {encoding}: give --encoding utf-8")


def _is_utf8(line: str, encoding: str) -> bool:
    """True if the line's bytes are UTF-8: by chance they are not, if some are not ASCII."""
    try:
        line.encode(encoding).decode()
    except UnicodeError:
        return False
    return True


def _is_text(line: str) -> bool:
    """False if it holds bytes that cannot be decoded, or half of a surrogate pair."""
    try:
        line.encode()
    except UnicodeEncodeError:
        return False
    return True


def _not_in(encoding: str) -> str:
    if codecs.lookup(encoding).name == "utf-8":
        return "not UTF-8. For Western European text give --encoding latin-1, or cp1252 if it comes from Windows"
    return f"not {encoding}: give the --encoding that the file has"


def _csv_fault(message: str) -> str:
    """The message of Python's csv in terms of the file."""
    if "unexpected end of data" in message:
        return "a cell begins with a quotation mark, and none ends it before the end of the file"
    if "field limit" in message:
        return f"a cell of more than {MOST_CHARACTERS:,} characters: is the quotation mark missing that ends it?"
    if "expected after" in message:
        return "text stands behind a cell's closing quotation mark; within quotes a quotation mark is written twice"
    if "new-line character" in message:
        return "a carriage return within a cell without quotation marks"
    return "not CSV"
