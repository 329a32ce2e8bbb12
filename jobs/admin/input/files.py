"""Files that a person names: opened, unpacked, read again from the start, and doubted by their first bytes."""

import gzip
import io
import shlex
import shutil
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from jobs.running.errors import Refused

Advance = Callable[[int], None]
"""Is told that so many more bytes were read."""
STANDARD_INPUT = "-"
HEAD_BYTES = 1024
"""So much of a file's beginning is looked at to see what it is."""


def display_name(name: str) -> str:
    """The file's name in messages."""
    return "standard input" if name == STANDARD_INPUT else name


class _CountedFile(io.FileIO):
    """A file that tells how many of its bytes are read; those that are read again, after a step back, only once."""

    def __init__(self, name: str, advance: Advance) -> None:
        super().__init__(name)
        self._advance, self._furthest = advance, 0

    def readinto(self, buffer: Any) -> int | None:
        count = super().readinto(buffer)
        self._report(count or 0)
        return count

    def readall(self) -> bytes:
        content = super().readall()
        self._report(len(content or b""))
        return content

    def _report(self, count: int) -> None:
        place = self.tell() if self.seekable() else self._furthest + count
        if place > self._furthest:
            self._advance(place - self._furthest)
            self._furthest = place


def total_bytes(names: Sequence[str]) -> int | None:
    """The size of these files together, packed as they are; None if one of them is no file that has a size."""
    paths = [Path(name) for name in names]
    if not all(name != STANDARD_INPUT and path.is_file() for name, path in zip(names, paths, strict=True)):
        return None
    return sum(path.stat().st_size for path in paths)


@contextmanager
def open_file(name: str, advance: Advance = lambda _: None) -> Iterator[IO[bytes]]:
    """A file's bytes, unpacked if its name ends in .gz; `-` is the standard input. `advance` is told of so many more
    bytes of the file, packed as they are, but not of the standard input. Raises Refused.
    """
    try:
        if name == STANDARD_INPUT:
            yield sys.stdin.buffer
        elif name.endswith(".gz"):
            with io.BufferedReader(_CountedFile(name, advance)) as file, gzip.open(file) as packed:
                yield cast(IO[bytes], packed)
        else:
            with io.BufferedReader(_CountedFile(name, advance)) as plain:
                yield cast(IO[bytes], plain)
    except (gzip.BadGzipFile, EOFError, zlib.error):
        raise Refused(f"{name} is not a whole gzip file.") from None
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename != name:
            raise
        raise Refused(f"cannot read {name}: {error.strerror}.") from None


class Rereadable:
    """A file that can be opened more than once; what can only be read once is copied to a temporary file."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._copy: IO[bytes] | None = None

    @contextmanager
    def open(self, advance: Advance = lambda _: None) -> Iterator[IO[bytes]]:
        """The bytes from the first one on; `advance` as open_file has it. Raises Refused."""
        if self._copy is None:
            with open_file(self.name, advance) as stream:
                if self.name != STANDARD_INPUT and stream.seekable():
                    yield stream
                    return
                self._copy = tempfile.TemporaryFile()  # noqa: SIM115 (deleted when it is no longer referred to)
                shutil.copyfileobj(stream, self._copy)
        self._copy.seek(0)
        yield self._copy


def check_unpacked(name: str, head: bytes) -> None:
    """Raises Refused if the first bytes are those of a packed file or of a workbook."""
    if head.startswith(b"\x1f\x8b"):
        raise Refused(f"{display_name(name)} is packed with gzip: give it a name that ends in .gz, or unpack it.")
    if head.startswith(b"PK\x03\x04"):
        raise Refused(f"{display_name(name)} is a zip file or a workbook: unpack it, or save the sheet as CSV.")


def encoding_of(head: bytes) -> str | None:
    """The encoding that the first bytes give away, if it is UTF-16 or UTF-32; Python and iconv know it by this name."""
    if head.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")):
        return "utf-32"
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head[:1] == b"\0" != head[1:2]:
        return "utf-16be"
    if head[1:2] == b"\0" != head[:1] and head[2:4] != b"\0\0":
        return "utf-16le"
    return None


def argument(name: str) -> str:
    """The file's name as a shell takes it; empty for the standard input."""
    return "" if name == STANDARD_INPUT else shlex.quote(name)
