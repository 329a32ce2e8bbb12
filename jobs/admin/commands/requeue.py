"""headrace requeue: quarantined records read again under the topic's schema of today."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, JobFile, PlacesFile


def requeue(
    name: Annotated[str, typer.Argument(help="Result whose quarantine is read again, such as departure_delay_v1.")],
    job: JobFile = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Read the quarantine of a result again, after a topic's schema was mended; each record goes in once.

    Records that are good now, and those that were only late, go into the tables, and what was published is corrected;
    the others go on waiting, as do those that are too late to correct an answer of events. In a result with membership
    requeued records get seen_before null (too late to say), and the filters do not learn of them. In a result with
    clocks they are not corrected.
    """
    from jobs.admin.catalogue import find
    from jobs.keeping import requeue as keeping_requeue
    from jobs.run import LOCAL_PROFILE, Run, session
    from jobs.running.errors import one_line_errors
    from jobs.running.java import profile
    from jobs.running.places import read_places

    home = read_places(places)
    result = find(name, job)
    with one_line_errors():
        spark = session(profile(places.parent / LOCAL_PROFILE))
        keeping_requeue.requeue(Run(spark, home, say=typer.echo), result)
