"""headrace read: records of a topic, one JSON object a line."""

import json
import sys
from typing import Annotated, Any

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile
from jobs.admin.record_texts import texts


def read(
    topic: Annotated[str, typer.Argument(help="Topic to read.")],
    partition: Annotated[int | None, typer.Option(min=0, help="Partition; else all, one after the other.")] = None,
    offset: Annotated[int, typer.Option(min=0, help="First offset in each partition.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="Most records.")] = 10,
    tail: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="The last N records of each partition, instead.")
    ] = None,
    value: Annotated[bool, typer.Option("--value", help="Only the values, as they are, one a line: for jq.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Print records as lines of JSON; bytes that are not UTF-8 are base64 under key_base64 or value_base64."""
    from jobs.log import home
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    where = read_places(places)
    partitions = sorted(home.topic(where, topic).ends)
    if partition is not None and partition not in partitions:
        raise Refused(f"topic {topic} has partitions 0 to {partitions[-1]}, none of the number {partition}.")
    if tail is not None and offset:
        raise Refused("--offset and --tail both say where to begin: give one of them.")
    ends = home.topic(where, topic).ends
    for number in partitions if partition is None else [partition]:
        first, most = (offset, limit) if tail is None else (max(ends[number] - tail, 0), tail)
        records = home.records(where, topic, number, first, most)
        for row in records.to_pylist():
            if value:
                typer.echo(row["value"] or b"")
            else:
                typer.echo(json.dumps(_row(row), ensure_ascii=sys.stdout.encoding.lower() != "utf-8"))
        limit -= len(records) if tail is None else 0


def _row(row: dict[str, Any]) -> dict[str, Any]:
    time = row["timestamp"].isoformat().replace("+00:00", "Z")
    place = {"topic": row["topic"], "partition": row["partition"], "offset": row["offset"], "timestamp": time}
    return place | texts("key", row["key"]) | texts("value", row["value"])
