"""headrace lateness: how late the records of a topic are, and what an allowed lateness would keep."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobs.admin.commands.replay import POINT
from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.admin.topic_lateness import TopicLateness
    from jobs.events.topic_schema import TopicSchema
    from jobs.log.offsets import Offsets
    from jobs.log.topic import Topic
    from jobs.running.places import Places


def lateness(
    topic: Annotated[str, typer.Argument(help="Topic of the log, with a file in schemas/.")],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Column of the topic: show its latest values, too.")
    ] = None,
    start: Annotated[str | None, typer.Option("--from", help=f"First record: {POINT}. Else the earliest.")] = None,
    end: Annotated[str | None, typer.Option("--to", help=f"Stop before it: {POINT}. Else the end.")] = None,
    schema: Annotated[
        str | None, typer.Option(help="Schema file to take, such as departure, if several are of the topic.")
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show how far records are behind stream time, and how many each allowed lateness would keep. Needs no Java.

    Stream time of a partition is the largest event time at any earlier offset that is read. Records that cannot be
    decoded without Spark are counted and left out. Seconds are rounded up, and percentiles are exact.
    """
    from jobs.admin import lateness_report, terminal
    from jobs.events import event_time, topic_schema
    from jobs.events.encodings.topic_encoding import encoded_topic
    from jobs.log import home, schema_registry
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    where = read_places(places)
    held = home.topic(where, topic)
    declared = encoded_topic(_schema(topic, schema))
    schema_registry.connect(where, [declared])
    file, time = topic_schema.file_name(declared), event_time.of_topic(declared)
    if by is not None and by not in declared.COLUMNS.fieldNames():
        raise Refused(f"{file} has no column {by}; it has {', '.join(declared.COLUMNS.fieldNames())}.")
    measured = _measure(where, topic, declared, by, _span(where, topic, held, start, end))
    console = terminal.console()
    for part in lateness_report.parts(measured, f"{topic}, by {time.name} of {file}", by):
        console.print(part, soft_wrap=isinstance(part, str))


def _measure(
    places: "Places", topic: str, declared: "TopicSchema", by: str | None, span: "tuple[Offsets, Offsets]"
) -> "TopicLateness":
    """The lateness of the records with these offsets. Raises Refused when none of them can be measured."""
    from jobs.admin.topic_lateness import COLUMNS, TopicLateness
    from jobs.events import topic_schema
    from jobs.log import home
    from jobs.running.errors import Refused

    file = topic_schema.file_name(declared)
    measured = TopicLateness(declared, by)
    reader = home.range_reader(places, topic, f"headrace-{topic}")
    try:
        for block in reader.read(reader.plan(*span), COLUMNS):
            measured.add(block)
    finally:
        reader.close()
    if not measured.records:
        raise Refused(f"topic {topic} holds no records there.")
    if not measured.measured:
        raise Refused(
            f"none of the {measured.records:,} records of topic {topic} can be decoded without Spark as {file} "
            "declares them: they are bad, or have times that are not ISO-8601."
        )
    return measured


def _schema(topic: str, name: str | None) -> "TopicSchema":
    """The schema file of the topic. Raises Refused if there is none, or several and none was named; Mistake if it is
    faulty.
    """
    from jobs.admin.input import topic_schema as schema_files
    from jobs.events import topic_schema
    from jobs.running.errors import Refused

    modules = {module.__name__.removeprefix("schemas."): module for module in schema_files.files(topic)}
    if not modules:
        raise Refused(f"topic {topic} has no file in schemas/ with that TOPIC, so nothing says what its event time is.")
    chosen = next(iter(modules)) if name is None and len(modules) == 1 else name
    if chosen not in modules:
        raise Refused(f"--schema takes one of {', '.join(modules)}: these files of schemas/ are of topic {topic}.")
    module: Any = modules[chosen]
    topic_schema.check(module)
    return module  # type: ignore[no-any-return]


def _span(places: "Places", topic: str, held: "Topic", start: str | None, end: str | None) -> "tuple[Offsets, Offsets]":
    """By partition, the offsets [start, end) to read: what the log holds between two points. Raises Refused."""
    firsts, ends = held.firsts, held.ends
    starts = {} if start is None else _offsets(places, topic, held, "--from", start)
    stops = {} if end is None else _offsets(places, topic, held, "--to", end)
    starts = {p: min(max(starts.get(p, first), first), ends[p]) for p, first in firsts.items()}
    return starts, {p: max(starts[p], min(stops.get(p, last), last)) for p, last in ends.items()}


def _offsets(places: "Places", topic: str, held: "Topic", option: str, point: str) -> "Offsets":
    """The offsets that a point means: "17" is an offset in each partition, a time the first record that late."""
    from jobs.log import home
    from jobs.log.offsets import parse_time
    from jobs.running.errors import Refused

    if point.isdecimal():
        return dict.fromkeys(held.ends, int(point))
    try:
        return home.starting_offsets(places, topic, parse_time(point).isoformat())
    except ValueError:
        raise Refused(f"{option}: give {POINT}.") from None
