"""headrace log: which topics there are, and what one of them holds."""

import json
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.admin.fitting import Column
    from jobs.log.topic import Extent
    from jobs.log.topic_summary import TopicSummary
    from jobs.running.errors import Refused
    from jobs.running.places import Places


def log(
    topic: Annotated[str | None, typer.Argument(help="Topic to describe; none: list all topics.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each topic, or each partition.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """List the topics of the archive, and of Kafka if the places file names a broker; or show the partitions of one
    topic: first and last offset, records, time span (UTC). Needs no Java.
    """
    from jobs.admin import terminal
    from jobs.log import home
    from jobs.log.kafka import patience
    from jobs.running.places import read_places

    where = read_places(places)
    with patience.ask_once(terminal.announce):
        if topic is not None:
            _show_partitions(home.extents(where, topic), as_json=as_json)
            return
        topics, fault = _topics(where)
    _show_topics(topics, where, as_json=as_json)
    if fault is not None:
        raise fault


def _topics(places: "Places") -> "tuple[list[TopicSummary], Refused | None]":
    """All topics, those of the archive first; and why those of Kafka are missing, if they are."""
    from jobs.log.archive import listing as archive_listing
    from jobs.log.kafka import listing as kafka_listing
    from jobs.running.errors import Refused

    topics = archive_listing.summaries(places.archive)
    try:
        return [*topics, *(kafka_listing.summaries(places.kafka) if places.kafka else [])], None
    except Refused as refused:
        return topics, refused


def _show_topics(topics: "list[TopicSummary]", places: "Places", *, as_json: bool) -> None:
    from jobs.admin import fitting, terminal

    if as_json:
        for each in topics:
            typer.echo(json.dumps(_topic_record(each)))
        return
    out = terminal.console()
    if not topics:
        where = f" or on {places.kafka.servers}" if places.kafka else ""
        terminal.say(out, f"no topics in {places.archive}{where} yet: fill one with `headrace produce TOPIC FILE`.")
    else:
        for part in fitting.parts(topics, _columns(), out):
            out.print(part)


def _columns() -> "list[Column[TopicSummary]]":
    from jobs.admin.fitting import Column
    from jobs.admin.retention_text import retention_text

    return [
        Column("topic", lambda topic: topic.name, 0, is_text=True),
        Column("home", lambda topic: topic.home, 0, is_text=True),
        Column("partitions", lambda topic: str(len(topic.ends)), 2),
        Column("records", lambda topic: f"{topic.records:,}", 0),
        Column("ends at offset", _ends, 4),
        Column("first record (UTC)", lambda topic: _time(topic.first_time), 3, is_text=True),
        Column("last record (UTC)", lambda topic: _time(topic.last_time), 0, is_text=True),
        Column("kept", retention_text, 1, is_text=True),
    ]


def _ends(topic: "TopicSummary") -> str:
    """The offset at which its partitions end, or the least and the greatest of them."""
    ends = sorted(topic.ends.values())
    return " to ".join(f"{end:,}" for end in dict.fromkeys((ends[0], ends[-1]))) if ends else "-"


def _topic_record(topic: "TopicSummary") -> dict[str, Any]:
    return {
        "topic": topic.name,
        "home": topic.home,
        "partitions": len(topic.ends),
        "records": topic.records,
        "end_offsets": topic.ends,
        "first_time": None if topic.first_time is None else topic.first_time.isoformat(),
        "last_time": None if topic.last_time is None else topic.last_time.isoformat(),
        "retention_ms": topic.retention_ms,
        "retention_bytes": topic.retention_bytes,
        "is_compacted": topic.is_compacted,
    }


def _show_partitions(partitions: "list[Extent]", *, as_json: bool) -> None:
    from dataclasses import asdict

    from rich.table import Table

    from jobs.admin import terminal

    for extent in partitions if as_json else ():
        times = {name: time and time.isoformat() for name, time in asdict(extent).items() if name.endswith("_time")}
        typer.echo(json.dumps(asdict(extent) | times))
    if as_json:
        return
    table = Table("partition", "first offset", "last offset", "records", "first time", "last time")
    for extent in partitions:
        numbers = (extent.partition, extent.first_offset, extent.last_offset, extent.records)
        table.add_row(*(_text(number) for number in numbers), _time(extent.first_time), _time(extent.last_time))
    terminal.console().print(table)


def _text(number: int | None) -> str:
    return "-" if number is None else str(number)


def _time(time: datetime | None) -> str:
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M:%S}"
