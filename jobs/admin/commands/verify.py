"""headrace verify: are the latest rows those of the database, and a view what its SQL gives?"""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile

if TYPE_CHECKING:
    from jobs.admin.database.verification import Verification
    from jobs.answers.result import Result
    from jobs.running.places import Places

SHOWN = 20
"""Keys that are listed."""


def verify(
    name: Annotated[str, typer.Argument(help="Result with latest rows or a view, such as customer_v1.")],
    against: Annotated[
        str | None,
        typer.Option(
            metavar="DATABASE",
            help="A [databases.NAME] of the places file, or postgresql://USER@HOST/DATABASE; none: that of the topic's "
            "prefix, and a result with a view is compared with its SQL. The password is never given here.",
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option(metavar="SCHEMA.TABLE", help="In the database; none: as the topic's name says.")
    ] = None,
    answer: Annotated[str | None, typer.Option(metavar="NAME", help="Of several tables of latest rows, which.")] = None,
    slot: Annotated[str | None, typer.Option(help="The connector's replication slot; none: the places file's.")] = None,
    wait: Annotated[int, typer.Option(metavar="SECONDS", help="For changes on their way.")] = 120,
    show_keys: Annotated[bool, typer.Option(help=f"List keys that differ, {SHOWN} at most. Never values.")] = False,
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Compare the latest rows of a result with the table of the database at one place of its log, or the views of a
    result with what their whole SQL gives. Exit code 1 if they differ. Needs no Java.

    Rows are counted and summed up in groups of keys; where those differ, row by row. A row that differs may be a change
    on its way, so it is looked at again when the result has all that the database had committed.
    """
    from jobs.admin.catalogue import find
    from jobs.admin.database import connection, followed_table
    from jobs.admin.database.arrival import Arrival
    from jobs.running.places import read_places

    home = read_places(places)
    result = find(name, job)
    if result.views and against is None:
        sys.exit(_verify_views(home, result, show_keys))
    followed = followed_table.find(result, answer)
    database = connection.find(home, against, followed.prefix)
    comparison = followed.comparison(home, result, database.name, table)
    arrival = Arrival(home, result.name, result.topics, followed.topic, slot or database.slot)
    with connection.open_connection(database) as opened:
        found = comparison.run(opened, arrival, wait, typer.echo)
    for line in _lines(name, f"{database.name}, table {comparison.table}", comparison.key, found, show_keys):
        typer.echo(line)
    sys.exit(0 if not (found.differences or found.on_their_way or found.unread_groups) else 1)


def _verify_views(home: "Places", result: "Result", show_keys: bool) -> int:
    from jobs.admin import view_check

    found = view_check.check(home, result)
    for line in [line for each in found for line in view_check.lines(each, show_keys)]:
        typer.echo(line)
    return 0 if all(each.is_right for each in found) else 1


def _lines(name: str, where: str, key: tuple[str, ...], found: "Verification", show_keys: bool) -> list[str]:
    from jobs.admin.database.slots import lsn_text

    lines = [f"{name}: not compared: {', '.join(found.left_out)}"] if found.left_out else []
    at = f"at {lsn_text(found.lsn)} of its log"
    if not found.differences and not found.on_their_way:
        return [*lines, f"{name}: equal to {where}, {at}: {found.rows:,} rows"]
    lines.append(f"{name}: differs from {where}, {at}, of {found.rows:,} rows:")
    kinds = dict.fromkeys((one.kind, one.columns) for one in found.differences)
    for kind, columns in kinds:
        alike = [one for one in found.differences if (one.kind, one.columns) == (kind, columns)]
        lines.append(f"  {len(alike):,} {kind}{' in ' + ', '.join(columns) if columns else ''}")
    if found.on_their_way:
        lines.append(f"  {found.on_their_way:,} changed while they were compared: run again at a quieter time")
    if found.unread_groups:
        lines.append(f"  more rows in {found.unread_groups:,} groups of keys, which were not looked at one by one")
    if show_keys:
        for one in found.differences[:SHOWN]:
            shown = ", ".join(f"{column} {text!r}" for column, text in zip(key, one.key, strict=True))
            lines.append(f"  {one.kind}: {shown}{' (' + ', '.join(one.columns) + ')' if one.columns else ''}")
    elif found.differences:
        lines.append("  which: --show-keys")
    if found.lacks:
        lines.append(f"{name}: these may be changes on their way, or not: {found.lacks}")
    return lines
