"""The wire format of Confluent's schema registry: a zero, the id of the writer's schema in four bytes, then the value.

Protobuf has the place of its message in the schema between the two: a count and so many numbers, as zigzag varints; a
single zero stands for the first message.
"""

import struct
from collections.abc import Callable

HEAD_BYTES = 5


class Fault(Exception):
    """Why a value cannot be decoded: a reason of quarantine, and what it is about."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        super().__init__(reason)
        self.reason, self.field = reason, field


Decode = Callable[[bytes], object]
"""What follows the head of a value, decoded. Raises Fault."""


def split(value: bytes) -> tuple[int, bytes]:
    """The id of the writer's schema, and the rest. Raises Fault."""
    if len(value) < HEAD_BYTES or value[0] != 0:
        raise Fault("no_schema_id")
    [schema_id] = struct.unpack(">I", value[1:HEAD_BYTES])
    return schema_id, value[HEAD_BYTES:]


def split_index(rest: bytes) -> tuple[tuple[int, ...], bytes]:
    """The place of a message of Protobuf in its schema, and the message. Raises ValueError."""
    count, place = _varint(rest, 0)
    if count == 0:
        return (0,), rest[place:]
    if not 0 < count <= 100:
        raise ValueError
    numbers = []
    for _ in range(count):
        number, place = _varint(rest, place)
        numbers.append(number)
    return tuple(numbers), rest[place:]


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """A zigzag varint, and the place behind it."""
    number = shift = 0
    while True:
        if place >= len(data) or shift > 28:
            raise ValueError
        byte = data[place]
        number |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if not byte & 0x80:
            return (number >> 1) ^ -(number & 1), place
