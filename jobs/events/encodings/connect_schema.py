"""What an Avro schema tells of the kinds of fields, as the schema does that Kafka Connect puts beside a payload.

Connect's converter for Avro writes the name of a kind, such as io.debezium.time.MicroTimestamp, as connect.name.
"""

from typing import Any

import msgspec

_DECODED = "decimal"
"""The logical type of which the decoder makes another value than Connect writes into JSON: a number with its point."""


def of_avro(text: str) -> bytes:
    """The schema of a record in Connect's words, as JSON."""
    return msgspec.json.encode(_part(msgspec.json.decode(text)))


def _part(kind: Any) -> dict[str, Any]:
    if isinstance(kind, list):  # null, or this
        kind = next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return {"type": "struct", "name": kind} if "." in kind else {"type": kind}
    part: dict[str, Any] = {"type": kind["type"]}
    if "connect.name" in kind and kind.get("logicalType") != _DECODED:
        part["name"] = kind["connect.name"]
    if kind["type"] == "record":
        part |= {"type": "struct", "fields": [_part(one["type"]) | {"field": one["name"]} for one in kind["fields"]]}
    return part
