"""headrace doctor: do ledger, tables, checkpoint and log agree, and if not, what to do?"""

import sys
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def doctor(
    name: Annotated[str | None, typer.Argument(help="Result to look at; none: all.")] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Say what is wrong, in words, and what repairs it. Exit code 1 if something is wrong. Needs no Java."""
    from jobs.admin import findings
    from jobs.keeping import ledger
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home = read_places(places)
    names = ledger.results(home)
    if name is not None and name not in names:
        raise Refused(f"no result {name} in {home.tables}; there are {', '.join(names) or 'none yet'}.")
    wrong = False
    for result in [name] if name else names:
        found = findings.examine(home, result)
        wrong |= any(finding.wrong for finding in found)
        if not found:
            typer.echo(f"{result}: all is well")
        for finding in sorted(found, key=lambda finding: not finding.wrong):
            remedy = f" -> {finding.remedy}" if finding.remedy else ""
            typer.echo(f"{result}: {'WRONG' if finding.wrong else 'note'}: {finding.what}{remedy}")
    if not names:
        typer.echo(f"no results yet in {home.tables}: run a job")
    sys.exit(1 if wrong else 0)
