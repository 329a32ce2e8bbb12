"""headrace replay: the past of a topic again, from the archive into Kafka."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

POINT = "a time such as 2025-05-05T08:00:00Z, or an offset, which counts in each partition"


def replay(
    topic: Annotated[str, typer.Argument(help="Topic of the archive.")],
    start: Annotated[str | None, typer.Option("--from", help=f"First record: {POINT}. Else the earliest.")] = None,
    end: Annotated[str | None, typer.Option("--to", help=f"Stop before it: {POINT}. Else the end.")] = None,
    into: Annotated[
        str | None,
        typer.Option(
            help="Topic of Kafka, made if it is not there. Else the same name, which must then hold no records."
        ),
    ] = None,
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="1 is real time, 60 an hour in a minute. Else as fast as Kafka takes them."),
    ] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Send records of the archive into Kafka once more: same partitions, order, keys, timestamps and headers.

    A topic that is made for them keeps all forever (retention.ms=-1, retention.bytes=-1), as they are of the past.
    One that is there keeps its settings; if its retention would delete some at once, nothing is sent.
    """
    from jobs.log import replay as log_replay
    from jobs.log.kafka import producer, topic_retention, topics
    from jobs.running import work_progress
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    if home.kafka is None:
        raise Refused(f"{places} does not say how Kafka is reached: add a table [kafka].")
    starts, ends = log_replay.span(home, topic, start, end)
    target = topics.describe(home.kafka, into or topic)
    if into is None and target is not None and target.firsts != target.ends:
        raise Refused(
            f"topic {topic} holds records in Kafka, and its readers would see them twice: name another with --into."
        )
    retention_ms = topic_retention.FOREVER if target is None else None
    total = sum(end - starts[partition] for partition, end in ends.items())
    with work_progress.show(f"{into or topic}: sending", total) as advance:
        done = producer.append(
            home.kafka,
            into or topic,
            len(ends),
            work_progress.count_rows(log_replay.records(home, topic, starts, ends, speed), advance),
            retention_ms,
            lambda: log_replay.oldest_ms(home, topic, starts, ends),
        )
    note = "" if target else "; the topic is new and keeps its records forever (retention.ms=-1, retention.bytes=-1)"
    where = f"{len(done.ranges)} partitions of {home.kafka.servers}"
    typer.echo(f"{into or topic}: {done.records:,} records into {where}{note}")
