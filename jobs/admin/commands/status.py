"""headrace status: how each result is, and how far."""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from jobs.admin.assessment import Assessment
    from jobs.lake.pointers import Pointers
    from jobs.running.places import Places


def status(
    name: Annotated[str | None, typer.Argument(help="Result to show in detail, such as departure_delay_v1.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each result, with all numbers.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again and again, until Ctrl-C.")] = False,
    every: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="How often, with --watch.")] = 5,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Show how each result is: its state, read and unread records, quarantine, lateness, tables; and which result each
    name points to. Exit code 1 if somebody has to act: see headrace doctor. Needs no Java.
    """
    from rich.console import Group
    from rich.text import Text

    from jobs.admin import terminal, watching
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    if watch and as_json:
        raise Refused("give --json or --watch, not both.")
    home, out = read_places(places), terminal.console()
    if watch:
        first = iter([terminal.announce])

        def show() -> Group:
            assessments, pointers = _look(home, name, next(first, lambda _: None))
            parts = [_first_line(assessments), *_parts(assessments, pointers, name, out)]
            return Group(*(Text(terminal.printable(part)) if isinstance(part, str) else part for part in parts))

        watching.repeat(show, every, out)
        return
    assessments, pointers = _look(home, name, terminal.announce)
    if as_json:
        _print_json(assessments, pointers)
    else:
        for part in _parts(assessments, pointers, name, out):
            if isinstance(part, str):
                terminal.say(out, part)
            else:
                out.print(part)
        if not assessments:
            terminal.say(out, f"no results yet in {home.tables}: run a job.")
    sys.exit(1 if any(each.needs_somebody for each in assessments) else 0)


def _look(places: "Places", name: str | None, announce: "Callable[[str], None]") -> "tuple[list[Assessment], Pointers]":
    """All results, or the one that is meant by `name`, and where names point. Raises Refused."""
    from jobs.admin import assessment
    from jobs.keeping import ledger
    from jobs.lake import pointers
    from jobs.log.kafka import patience
    from jobs.running.errors import Refused

    try:
        names = ledger.results(places)
    except OSError as error:
        raise Refused(f"cannot read the folder of tables {places.tables}: {error.strerror or error}.") from None
    known = pointers.read(places)
    if name is not None:
        meant = known.targets.get(name, name)
        if meant not in names:
            there = f"there are {', '.join(names)}" if names else "there are none yet"
            of_name = "" if meant == name else f", to which {name} points,"
            raise Refused(f"no result {meant}{of_name} in {places.tables}; {there}.")
        names = [meant]
    with patience.ask_once(announce):
        return [assessment.assess(places, each) for each in names], known


def _parts(
    assessments: "list[Assessment]", pointers: "Pointers", name: str | None, out: "Console"
) -> "Iterator[RenderableType]":
    """What the command prints; lines are strings."""
    from jobs.admin import details, overview

    if name is not None:
        yield from _pointer_lines(pointers, [name])
        yield from details.tables(assessments[0])
        return
    if assessments:
        yield from overview.parts(assessments, out)
    yield from overview.reasons(assessments)
    yield from overview.completeness(assessments)
    yield from _pointer_lines(pointers, sorted(pointers.targets), [each.name for each in assessments])


def _first_line(assessments: "list[Assessment]") -> str:
    """When it was looked at, and how many results have which state."""
    from datetime import UTC, datetime

    from jobs.admin import assessment

    states = ", ".join(f"{count} {state}" for state, count in assessment.counts(assessments).items())
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC, {len(assessments)} results{': ' if states else ''}{states}"


def _print_json(assessments: "list[Assessment]", pointers: "Pointers") -> None:
    import json

    from jobs.admin import assessment

    for each in assessments:
        names = sorted(name for name, target in pointers.targets.items() if target == each.name)
        typer.echo(json.dumps(assessment.record(each) | {"names": names}))


def _pointer_lines(pointers: "Pointers", names: list[str], results: list[str] | None = None) -> "Iterator[str]":
    """Which result each of the names points to, since when, and which it would go back to; whether it is none of
    `results`.
    """
    for name in names:
        for last in pointers.of_name(name)[-1:]:
            earlier = pointers.results_before(name)
            back = f"; before: {earlier[-1]}" if earlier else ""
            by = "".join(filter(str.isprintable, last.switched_by))
            since = f"since {last.switched_time:%Y-%m-%d %H:%M} UTC, by {by}"
            gone = "" if results is None or last.to_result in results else ", which is GONE,"
            yield f"{name} points to {last.to_result}{gone} {since}{back}"
