"""headrace retire: a result that readers have left is removed."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.admin.versions.retirement import Removal


def retire(
    result: Annotated[str, typer.Argument(help="Result to remove, such as departure_delay_v1.")],
    after: Annotated[
        str, typer.Option(metavar="DURATION", help="So long ago the last name must have left it.")
    ] = "7 days",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Remove the tables, the checkpoints and the ledger of a result that no name points to any more. Needs no Java.

    Refuses while a name points to it, less than --after later, and if no name ever has. What is removed can be built
    anew from the log, as long as that has the records. If it is stopped half-way, the next call ends it.
    """
    from jobs.admin.versions import retirement
    from jobs.running.places import read_places

    home = read_places(places)
    removal = retirement.plan(home, result, after)
    if dry_run or not yes:
        _show(removal)
    if dry_run:
        return
    if not yes:
        typer.confirm(f"remove {result}?", abort=True)
    removal = retirement.retire(home, result, after)
    typer.echo(f"{result}: {len(removal.tables)} tables, its checkpoints and its ledger were removed")
    for path in removal.foreign:
        typer.echo(f"{path} stays: it is not the table that the ledger knows")


def _show(removal: "Removal") -> None:
    for path in (*removal.tables, removal.checkpoints, removal.ledger):
        typer.echo(f"would be removed: {path}")
    for path in removal.foreign:
        typer.echo(f"would stay, as it is not the table that the ledger knows: {path}")
