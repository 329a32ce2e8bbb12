"""headrace jars: what Spark needs beside the Python packages."""

from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def jars(
    places: PlacesFile = DEFAULT_PLACES,
    only: Annotated[bool, typer.Option("--only", help="The jars alone: each start of Spark takes longer.")] = False,
) -> None:
    """Fetch the jars of Delta and Kafka into .jars of the project's folder: 23 MB, each checked by its SHA-256.

    Then let Java write down what it has parsed of Spark's classes, 0.2 GB, so that each start of Spark takes half the
    time. Only what is missing is fetched, with the Ivy that pyspark brings. conf/jars.txt names other jars.
    """
    from jobs.admin import class_archive
    from jobs.admin.jars import fetch_all
    from jobs.run import LOCAL_PROFILE
    from jobs.running import project
    from jobs.running.errors import one_line_errors

    conf = places.resolve().parent
    folder, own = conf.parent / ".jars", conf / "jars.txt"
    with one_line_errors():
        fetch_all(folder, own if own.exists() else project.default_file(own.name))
        classes = folder / "classes.jsa"
        if not only and not classes.exists():
            typer.echo("warming up Java, once: half a minute")
            class_archive.write(str(classes), conf / LOCAL_PROFILE)
    typer.echo(f"{folder} is ready")
