"""headrace retain: the oldest records leave a topic of the archive, by age and by size."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from datetime import datetime

    from jobs.admin.readers import Reader
    from jobs.log.archive.snapshot import Snapshot

UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
"""Bytes of each unit of size."""


def retain(
    topic: Annotated[str, typer.Argument(help="Topic of the archive.")],
    older_than: Annotated[
        str | None, typer.Option(help='Records older than this go, by record timestamp: "30 days".')
    ] = None,
    larger_than: Annotated[
        str | None,
        typer.Option(help='Oldest files of a partition go while no less than this stays in it: "10 GB", "500 MiB".'),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would go, and which results have not read it.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also remove what a result has not read yet.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Remove the oldest records of a topic from the archive, from the front of each partition. Needs no Java.

    Refuses to remove records that a result in the folder of tables has not read. Files are deleted a week after their
    records left.
    """
    from datetime import UTC, datetime

    from jobs.admin import readers
    from jobs.log.archive import retention, rewrite
    from jobs.log.archive.snapshot import Snapshot
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    since, most = _limits(older_than, larger_than, datetime.now(UTC))
    log = Snapshot(home.archive, topic).refresh()
    if not log.ends:
        raise Refused(f"topic {topic} has no records in {home.archive}.")
    cuts = _cuts(log, since, most)
    firsts = log.firsts()
    going = {p: retention.count_records(log.files_of(p), 0, cut) for p, cut in cuts.items()}
    behind = [
        (reader.name, partition, start, cut, retention.count_records(log.files_of(partition), start, cut))
        for reader in readers.find(home, topic, log.is_copy_of)
        for partition, start, cut in _unread(reader, firsts, cuts)
    ]
    if dry_run:
        _show(log, cuts, going, behind)
        return
    if behind and not force:
        unread = "; ".join(f"{name}, partition {p}: {count:,}" for name, p, _, _, count in behind)
        raise Refused(
            f"topic {topic}: results have not read records that would go ({unread}). Run their jobs first, or give "
            "--force: each then refuses to go on until it is run once with --accept-loss."
        )
    if cuts != firsts:
        retention.remove(home.archive, topic, cuts)
    deleted = len(rewrite.vacuum(home.archive))
    typer.echo(f"{topic}: {sum(going.values()):,} records left the archive, {deleted} old files were deleted")


def _limits(older_than: str | None, larger_than: str | None, now: "datetime") -> "tuple[datetime | None, int | None]":
    """The time before which records go, and the bytes of a partition that stay. Raises Refused."""
    from datetime import timedelta

    from jobs.running import durations
    from jobs.running.errors import Refused

    if older_than is None and larger_than is None:
        raise Refused('give --older-than "30 days", --larger-than "10 GB", or both.')
    try:
        since = None if older_than is None else now - timedelta(seconds=durations.seconds(older_than))
        return since, None if larger_than is None else size(larger_than)
    except (ValueError, OverflowError) as error:
        raise Refused(f"{error}.") from None


def size(words: str) -> int:
    """The bytes of a size such as "10 GB" (of 1000) or "500 MiB" (of 1024). Raises ValueError if it is none."""
    number, _, unit = words.strip().partition(" ")
    if not number.isascii() or not number.isdigit() or unit.strip() not in UNITS:
        raise ValueError(f'"{words}" is not a size: write a whole number and a unit, such as "10 GB"')
    return int(number) * UNITS[unit.strip()]


def _cuts(log: "Snapshot", since: "datetime | None", most: int | None) -> dict[int, int]:
    """Where each partition is to begin."""
    from jobs.log.archive import retention

    cuts = log.firsts()
    if since is not None:
        cuts = {partition: max(cuts[partition], offset) for partition, offset in log.offsets_since(since).items()}
    if most is not None:
        cuts = {p: retention.by_size(log.files_of(p), most, cut) for p, cut in cuts.items()}
    return cuts


def _unread(reader: "Reader", firsts: dict[int, int], cuts: dict[int, int]) -> list[tuple[int, int, int]]:
    """(partition, first offset, offset after the last) of what would go and was not read."""
    starts = {partition: max(first, reader.read.get(partition, 0)) for partition, first in firsts.items()}
    return [(partition, start, cuts[partition]) for partition, start in starts.items() if start < cuts[partition]]


def _show(
    log: "Snapshot", cuts: dict[int, int], going: dict[int, int], behind: list[tuple[str, int, int, int, int]]
) -> None:
    from rich.console import Console
    from rich.table import Table

    firsts = log.firsts()
    table = Table("partition", "begins at", "would begin at", "ends at", "records that would go")
    for partition, end in sorted(log.ends.items()):
        numbers = (partition, firsts[partition], cuts[partition], end)
        table.add_row(*map(str, numbers), f"{going[partition]:,}")
    Console().print(table)
    if not behind:
        typer.echo("every result that is known has read what would go")
        return
    lost = Table("result", "partition", "unread from", "to", "records it would lose")
    for name, partition, start, after, count in behind:
        lost.add_row(name, str(partition), str(start), str(after - 1), f"{count:,}")
    Console().print(lost)
