"""headrace read: records of a topic, one JSON object a line."""

import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile
from jobs.admin.record_texts import texts

if TYPE_CHECKING:
    import pyarrow as pa

    from jobs.events.encodings.topic_encoding import TopicEncoding
    from jobs.running.places import Places


def read(
    topic: Annotated[str, typer.Argument(help="Topic to read.")],
    partition: Annotated[int | None, typer.Option(min=0, help="Partition; else all, one after the other.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="First offset in each partition.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Most records.")] = 10,
    tail: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The last N records of each partition, instead.")
    ] = None,
    value: Annotated[bool, typer.Option("--value", help="Only the values, one a line: for jq.")] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Bytes as they are, also of a topic in Avro or Protobuf: asks no registry.")
    ] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Print records as lines of JSON; bytes that are not UTF-8 are base64 under key_base64 or value_base64.

    Values, and keys, that are encoded as ENCODING and KEY_ENCODING of the topic's schema file say are decoded, with all
    their fields. One that cannot be decoded has the reason beside it, under not_decoded.
    """
    from jobs.log import home
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    where = read_places(places)
    ends = home.look(where, topic).ends
    partitions = sorted(ends)
    if partition is not None and partition not in partitions:
        raise Refused(f"topic {topic} has partitions 0 to {partitions[-1]}, none of the number {partition}.")
    if tail is not None and offset:
        raise Refused("--offset and --tail both say where to begin: give one of them.")
    encoded = None if raw else _encoding(where, topic)
    for number in partitions if partition is None else [partition]:
        first, most = (offset, limit) if tail is None else (max(ends[number] - tail, 0), tail)
        records = home.records(where, topic, number, first, most)
        stored_rows = records.to_pylist()
        for stored, row in zip(stored_rows, _rows(stored_rows, records, encoded), strict=True):
            if not value:
                typer.echo(_json(row))
            elif isinstance(row.get("value"), str | None):
                typer.echo(stored["value"] or b"")
            else:
                typer.echo(_json(row["value"]))
        limit -= len(records) if tail is None else 0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=sys.stdout.encoding.lower() != "utf-8")


def _encoding(places: "Places", topic: str) -> "TopicEncoding | None":
    """How the topic's schema file says that its records are encoded; None: not, or there is none. Raises Refused if no
    registry is named, Mistake if the file is faulty.
    """
    from jobs.admin.input import topic_schema
    from jobs.events.encodings import topic_encoding
    from jobs.log import schema_registry

    for file in topic_schema.files(topic):
        declared = topic_encoding.encoded_topic(file)
        encoded = topic_encoding.of_topic(declared)
        if encoded:
            schema_registry.connect(places, [declared])
            encoded.values.reader = None  # what was written, not what a job makes of it
            return encoded
    return None


def _rows(stored: list[dict[str, Any]], records: "pa.Table", encoded: "TopicEncoding | None") -> list[dict[str, Any]]:
    """What is shown of these rows of `records`."""
    rows = [_row(row) for row in stored]
    if encoded and rows:
        keys, values = (records[name].combine_chunks() for name in ("key", "value"))
        decoded = (column.to_pylist() for column in encoded.json_records(keys, values))
        for row, key, value, fault in zip(rows, *decoded, strict=True):
            if fault:
                row["not_decoded"] = ", ".join(filter(None, fault.values()))
                continue
            if encoded.keys and key is not None:
                row.pop("key_base64", None)
                row["key"] = json.loads(key)
            if value is not None:
                row.pop("value_base64", None)
                row["value"] = json.loads(value)
    return rows


def _row(row: dict[str, Any]) -> dict[str, Any]:
    time = row["timestamp"].isoformat().replace("+00:00", "Z")
    place = {"topic": row["topic"], "partition": row["partition"], "offset": row["offset"], "timestamp": time}
    return place | texts("key", row["key"]) | texts("value", row["value"])
