"""headrace complete: a person says that no further record comes before a time."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile


def complete(
    name: Annotated[str, typer.Argument(help="Result whose rows are to become final, such as departure_delay_v1.")],
    until: Annotated[str, typer.Option(metavar="TIME", help="ISO-8601 with a zone, such as 2025-05-05T08:00:00Z.")],
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Set the complete time of a result: rows that fall due until then become final, without waiting for records.

    For the end of a history or of a test, where no further record moves time on. A record that comes later all the same
    still corrects them, if the job says so. It stands in the ledger: a result that is built anew needs it again.
    """
    from jobs.admin.catalogue import find
    from jobs.keeping import completion
    from jobs.log.offsets import parse_time
    from jobs.run import LOCAL_PROFILE, Run, session
    from jobs.running.errors import Refused, one_line_errors
    from jobs.running.java import profile
    from jobs.running.places import read_places

    home = read_places(places)
    result = find(name, job)
    try:
        time = parse_time(until)
    except ValueError:
        raise Refused(
            f"--until {until!r} is no time: give ISO-8601 with a zone, such as 2025-05-05T08:00:00Z."
        ) from None
    with one_line_errors():
        spark = session(profile(places.parent / LOCAL_PROFILE))
        completion.complete(Run(spark, home, say=typer.echo), result, time)
