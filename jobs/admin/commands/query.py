"""headrace query: SQL over the tables of results."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def query(
    sql: Annotated[str, typer.Argument(metavar="SQL", help='Such as "select * from departure_delay_v1 limit 5".')],
    places: PlacesFile = DEFAULT_PLACES,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="A line of CSV for each row, after one of names.")] = False,
) -> None:
    """Answer a query over the tables of results, by their names or by those that headrace promote has given. Needs no
    Java.

    The SQL is that of Apache DataFusion. On a terminal the answer is a table with rounded fractions; --json and --csv
    have all digits.
    """
    from jobs.admin import row_table, terminal
    from jobs.publishing import results
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    if as_json and as_csv:
        raise Refused("give --json or --csv, not both.")
    rows = results.query(read_places(places), sql)
    if as_json or as_csv:
        for line in row_table.lines(rows, as_csv=as_csv):
            typer.echo(line)
        return
    terminal.console().print(row_table.table(rows))
    typer.echo(f"{len(rows):,} row{'' if len(rows) == 1 else 's'}")
