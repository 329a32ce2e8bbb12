"""headrace compact: of the records of a key in a topic of the archive the last one stays."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.log.archive.compaction import PartitionPlan


def compact(
    topic: Annotated[str, typer.Argument(help="Topic of the archive, declared COMPACTED = True in its schema file.")],
    tombstones_for: Annotated[
        str, typer.Option(help="How long a record without a value stays after compaction first met it.")
    ] = "24 hours",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Keep the last record of each key of a topic in the archive, with its offset. Needs no Java.

    Only records that every result in the folder of tables has read go; records without a key all stay. Files are
    deleted a week after their records left.
    """
    import time

    from jobs.admin import readers
    from jobs.log.archive import compaction, rewrite
    from jobs.log.archive.snapshot import Snapshot
    from jobs.running import work_progress
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    _check_declared(topic)
    try:
        wait = compaction.tombstones_ms(tombstones_for)
    except ValueError as error:
        raise Refused(f"{error}.") from None
    log = Snapshot(home.archive, topic).refresh()
    if not log.ends:
        raise Refused(f"topic {topic} has no records in {home.archive}.")
    topic_readers = readers.find(home, topic, log.is_copy_of)
    counting = [reader.name for reader in topic_readers if reader.counts_every_record]
    if counting:
        raise Refused(
            f"topic {topic} is read by {', '.join(counting)}, which counts every record: built again from a compacted "
            "topic it would count less. Keep the topic whole, or move the tables of the result away."
        )
    now = int(time.time() * 1000)
    until = readers.read_by_all(topic_readers, log.ends)
    with work_progress.show(f"{topic}: reading keys", sum(file.records for file in log.files)) as advance:
        parts = compaction.plan(home.archive, topic, until, now, wait, advance)
    if dry_run:
        _show(parts, log.ends)
        return
    with work_progress.show(f"{topic}: writing anew", sum(part.rewritten_records for part in parts)) as advance:
        compaction.compact(home.archive, topic, log.firsts(), parts, now, advance)
    deleted = len(rewrite.vacuum(home.archive))
    superseded, dead = sum(part.superseded for part in parts), sum(part.tombstones for part in parts)
    typer.echo(
        f"{topic}: {superseded:,} superseded records and {dead:,} tombstones left the archive, {deleted} old files "
        "were deleted"
    )


def _check_declared(topic: str) -> None:
    """Raises Refused unless a schema file says that only the last record of a key counts in the topic."""
    from jobs.admin.input import topic_schema
    from jobs.running.errors import Refused

    modules = topic_schema.files(topic)
    if not modules:
        raise Refused(f"topic {topic} has no file in schemas/ with that TOPIC, so nothing says that it is compacted.")
    for module in modules:
        if getattr(module, "COMPACTED", False) is not True:
            raise Refused(
                f"topic {topic} holds events, and each of them counts: compaction would lose some. If in this topic "
                f"only the last record of a key counts, say so in schemas/{module.__name__.split('.')[-1]}.py: "
                "COMPACTED = True"
            )


def _show(parts: "list[PartitionPlan]", ends: dict[int, int]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("partition", "records", "read by all up to", "ends at", "superseded, would go", "tombstones")
    for part in parts:
        numbers = (part.records, part.until, ends[part.partition], part.superseded, part.tombstones)
        table.add_row(str(part.partition), *(f"{number:,}" for number in numbers))
    Console().print(table)
