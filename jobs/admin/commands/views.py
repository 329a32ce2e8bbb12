"""headrace views: a view for each kind of window, for any SQL."""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.publishing.window_views import View
    from jobs.running.places import Places


class Engine(StrEnum):
    """Whose SQL is printed."""

    DUCKDB = "duckdb"
    SPARK = "spark"
    TRINO = "trino"


def views(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="A result, or a name that headrace promote has given; else all results."),
    ] = None,
    engine: Annotated[
        Engine | None, typer.Option("--dialect", help="Print the statements that make the views in this engine.")
    ] = None,
    places_file: PlacesFile = DEFAULT_PLACES,
) -> None:
    """List the views of one kind of window each, which headrace query and tables.query know, or print the statements
    that make them elsewhere.

    The table of a result has windows of all kinds, so a sum over it counts each record several times. A view has those
    of one kind, without the column window_kind; days, weeks, months and years have
    their own date in window_date. Needs no Java.
    """
    from jobs.running.places import read_places

    places = read_places(places_file)
    found = _views(places, name)
    if engine is None:
        width = max((len(shown) for shown, _ in found), default=0)
        for shown, view in found:
            typer.echo(f"{shown:{width}}  {view.label}")
        return
    if engine == Engine.TRINO:
        for table in dict.fromkeys(view.table for _, view in found):
            typer.echo(f"-- first: call CATALOG.system.register_table('SCHEMA', '{table}', '{places.table(table)}')")
    made = (
        view.statements(engine.value, shown.removesuffix(f"_{view.suffix}"), places.table(view.table))
        for shown, view in found
    )
    for statement in dict.fromkeys(statement for statements in made for statement in statements):
        typer.echo(statement)


def _views(places: "Places", name: str | None) -> "list[tuple[str, View]]":
    """Each view with the name that it shall have. Raises Refused if there is no such result."""
    from jobs.keeping import ledger
    from jobs.lake import pointers
    from jobs.publishing import window_views
    from jobs.running.errors import Refused

    results = ledger.results(places)
    if name is None:
        return [(view.name, view) for result in results for view in window_views.of_result(places, result)]
    result = name if name in results else pointers.read(places).targets.get(name)
    if result is None:
        there = ", ".join(results) or "none"
        raise Refused(f"there is no result {name} in {places.tables}; there is {there}.")
    return [(name + view.name.removeprefix(result), view) for view in window_views.of_result(places, result)]
