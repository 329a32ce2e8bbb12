"""headrace rules: the rules that users have stored, what is wrong with them, how many events meet them, their cost."""

from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile

if TYPE_CHECKING:
    from rich.table import Table

    from jobs.admin.rule_table import Rule, Trial

SHOWN = 50
"""Rules that are listed."""


def rules(
    name: Annotated[str, typer.Argument(help="Result with stored queries, such as route_watch_v1.")],
    explain: Annotated[
        str | None, typer.Option(metavar="ID", help="Try this rule on the events that are kept, and say what it does.")
    ] = None,
    predicate: Annotated[
        str | None, typer.Option("--try", metavar="PREDICATE", help="The same for a rule that nobody has stored yet.")
    ] = None,
    every_version: Annotated[bool, typer.Option("--all", help="Versions that are no longer valid, too.")] = False,
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """List the rules of a result: faults first, then the dearest, 50 at most. Needs no Java.

    A rule that costs more than 100 microseconds for each event is marked. Exit code 1 if a rule that is tried with
    --explain or --try cannot be used.
    """
    import sys

    from jobs.admin import rule_table, terminal
    from jobs.admin.catalogue import find
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    home, result = read_places(places), find(name, job)
    console = terminal.console()
    if explain is None and predicate is None:
        found = rule_table.rules(home, result, every_version)
        console.print(_table(found[:SHOWN], rule_table.answer_of(result).rules.key))
        faults = sum(rule.fault is not None for rule in found)
        console.print(f"{len(found):,} rules, {faults:,} of which cannot be used", soft_wrap=True)
        return
    texts = [predicate] if explain is None else rule_table.texts(home, result, explain)
    if not texts:
        raise Refused(f"{name} has no rule {explain} now; `headrace rules {name}` lists them.")
    trial = rule_table.trial(home, result, texts[0])
    for line in _lines(trial):
        console.print(line, soft_wrap=True)
    if trial.fault is not None:
        sys.exit(1)


def _table(found: "list[Rule]", key: tuple[str, ...]) -> "Table":
    from rich.table import Table

    from jobs.answers.rules.rule_set import SLOW_MICROS

    table = Table(*key, "valid from (UTC)", "until")
    for heading in ("events met", "tried", "µs an event"):
        table.add_column(heading, justify="right")
    table.add_column("fault")
    for rule in found:
        interval = [f"{time:%Y-%m-%d %H:%M}" if time else "" for time in (rule.valid_from, rule.valid_to)]
        micros = f"{rule.micros:,.3f}{' slow' if rule.micros > SLOW_MICROS else ''}"
        table.add_row(*map(str, rule.key), *interval, f"{rule.hits:,}", f"{rule.tried:,}", micros, rule.fault or "")
    return table


def _lines(trial: "Trial") -> list[str]:
    if trial.fault is not None:
        return [f"it cannot be used: {trial.fault}"]
    return [
        f"candidates are found by {trial.index}",
        f"of {trial.events:,} kept events {trial.tried:,} were tried, and {trial.hits:,} meet it",
        f"{trial.micros:,.3f} microseconds of computing an event",
    ]
