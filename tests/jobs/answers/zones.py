"""What the tz database says, read from its files (RFC 8536) and not by way of the code that is tested."""

import struct
import zoneinfo
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path
from typing import NamedTuple

SINCE = int(datetime(1969, 1, 1, tzinfo=UTC).timestamp())


class Change(NamedTuple):
    """Clocks are changed: the first second of the new time, and seconds ahead of UTC until then and from then on."""

    second: int
    before: int
    after: int


def names() -> list[str]:
    """Of zones that are alike the first by name."""
    found: dict[bytes, str] = {}
    for name in sorted(zoneinfo.available_timezones() - {"localtime"}):
        found.setdefault(_file(name), name)
    return list(found.values())


def changes(name: str) -> list[Change]:
    """All that the file lists since 1969; those of later years follow from `rule`."""
    times, offsets, _ = _parsed(name)
    found = (Change(*each) for each in zip(times, offsets, offsets[1:], strict=False))
    return [change for change in found if change.second >= SINCE and change.before != change.after]


def rule(name: str) -> str:
    """How clocks are changed in the years after those that the file lists."""
    return _parsed(name)[2]


def _file(name: str) -> bytes:
    for folder in map(Path, zoneinfo.TZPATH):
        if (folder / name).is_file():
            return (folder / name).read_bytes()
    package, _, last = f"tzdata.zoneinfo.{name.replace('/', '.')}".rpartition(".")
    return resources.files(package).joinpath(last).read_bytes()


@cache
def _parsed(name: str) -> tuple[list[int], list[int], str]:
    """Moments, one offset more than these, and the rule: from the second block of the file, which has 64 bits."""
    content = _file(name)
    begin = 44 + _length(content, 0, 4)
    times, types = struct.unpack_from(">2l", content, begin + 32)
    place = begin + 44
    moments = list(struct.unpack_from(f">{times}q", content, place))
    which = content[place + 8 * times : place + 9 * times]
    ahead = [struct.unpack_from(">l", content, place + 9 * times + 6 * number)[0] for number in range(types)]
    return (
        moments,
        [ahead[0], *(ahead[number] for number in which)],
        content[begin + 44 + _length(content, begin, 8) :].decode().strip(),
    )


def _length(content: bytes, begin: int, size: int) -> int:
    """Of the block whose header begins there, without the header; moments have so many bytes."""
    utc, standard, leaps, times, types, characters = struct.unpack_from(">6l", content, begin + 20)
    return times * (size + 1) + types * 6 + characters + leaps * (size + 4) + standard + utc
