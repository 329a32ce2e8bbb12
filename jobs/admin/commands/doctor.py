"""headrace doctor: do ledger, tables, checkpoint and log agree, and if not, what to do?"""

import json
import sys
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

LENGTH = 'such as "30 minutes"'


def doctor(
    name: Annotated[str | None, typer.Argument(help="Result to look at; none: all.")] = None,
    max_lag: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"Record time that a result may be behind the log, {LENGTH}.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(metavar="TIME", help=f"How old the newest record in its numbers may be, {LENGTH}.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each result.")] = False,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Say what is wrong, in words, and what repairs it. Exit code 1 if somebody has to act. Needs no Java."""
    from jobs.admin import assessment, terminal
    from jobs.admin.freshness import Objective
    from jobs.keeping import ledger
    from jobs.log.kafka import patience
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    objective = Objective(_length("--max-lag", max_lag), _length("--max-age", max_age))
    home = read_places(places)
    names = ledger.results(home)
    if name is not None and name not in names:
        raise Refused(f"no result {name} in {home.tables}; there are {', '.join(names) or 'none yet'}.")
    needs_somebody = False
    with patience.ask_once(terminal.announce):
        for result in [name] if name else names:
            found = assessment.assess(home, result, objective)
            needs_somebody |= found.needs_somebody
            if as_json:
                findings = [assessment.finding_record(finding) for finding in found.findings]
                typer.echo(json.dumps({"name": result, "state": str(found.state), "findings": findings}))
                continue
            if not found.findings:
                typer.echo(f"{result}: all is well")
            for finding in found.findings:
                remedy = f" -> {finding.remedy}" if finding.remedy else ""
                typer.echo(f"{result}: {finding.state.upper() if finding.wrong else 'note'}: {finding.what}{remedy}")
    if not names and not as_json:
        typer.echo(f"no results yet in {home.tables}: run a job")
    sys.exit(1 if needs_somebody else 0)


def _length(option: str, words: str | None) -> str | None:
    """The words, if they are a length of time. Raises Refused."""
    from jobs.running import durations
    from jobs.running.errors import Mistake, Refused

    try:
        return None if words is None else durations.text(durations.seconds(words))
    except Mistake as error:
        raise Refused(f"{option}: {error}.") from None
