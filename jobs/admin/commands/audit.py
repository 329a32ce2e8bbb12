"""headrace audit: is every record of a topic in the archive once?"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.log.audit import Audit

SHOWN = 10
"""Spans of offsets that are listed for each partition and fault."""


def audit(
    topic: Annotated[str, typer.Argument(help="Topic of the archive.")],
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Look at every offset of a topic in the archive: is it there once? Exit code 1 if one is missing or doubled."""
    from rich.console import Console
    from rich.table import Table

    from jobs.log.audit import audit as audit_topic
    from jobs.running.places import read_places

    rows = audit_topic(read_places(places), topic)
    table = Table("partition", "first offset", "last offset", "records", "doubled", "missing", "rightly no record")
    for row in rows:
        why = "; ".join(f"{offsets:,} {reason}" for reason, offsets in row.explained.items())
        gone = _offsets(row.missing) + _offsets(row.in_kafka)
        numbers = (row.partition, row.start, row.end - 1, f"{row.records:,}", _offsets(row.doubles), gone)
        table.add_row(*map(str, numbers), why or "-")
    console = Console()
    console.print(table)
    for line in (line for row in rows for line in _faults(topic, row)):
        console.print(line, soft_wrap=True)
    if not all(row.whole for row in rows):
        sys.exit(1)
    console.print(f"{topic}: every offset is there once, or rightly not.")


def _faults(topic: str, row: "Audit") -> list[str]:
    """What is wrong with a partition, in words."""
    faults = [
        (row.doubles, "stand more than once: bring the archive back from a backup, or restore an older version of it"),
        (row.in_kafka, "are in Kafka and not in the archive: copy the topic into a new archive while Kafka has them"),
        (row.missing, "have no record, and nothing says why: they were deleted from the archive or never copied"),
    ]
    return [f"{topic}, partition {row.partition}: offsets {_spans(spans)} {fault}." for spans, fault in faults if spans]


def _spans(spans: list[tuple[int, int]]) -> str:
    shown = ", ".join(f"{start}" if end == start + 1 else f"{start} to {end - 1}" for start, end in spans[:SHOWN])
    return shown + (f" and {len(spans) - SHOWN} more spans" if len(spans) > SHOWN else "")


def _offsets(spans: list[tuple[int, int]]) -> int:
    return sum(end - start for start, end in spans)
