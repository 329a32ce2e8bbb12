"""headrace new: the schema file and the job file of a topic, from a sample of its records."""

from pathlib import Path
from typing import Annotated

import typer

from jobs.admin.options import DEFAULT_PLACES, PlacesFile


def new(
    topic: Annotated[str, typer.Argument(help="Topic of a table's changes, such as store.public.customers.")],
    debezium: Annotated[bool, typer.Option("--debezium", help="Its records are Debezium's, in JSON.")] = False,
    sample: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Records, one in a line: the value, or the key, a tab, and the value."),
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Take the first records of the topic itself.")] = False,
    key: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="Of the primary key; may be repeated.")
    ] = None,
    registry: Annotated[
        bool, typer.Option("--registry", help="Its values are Avro or Protobuf of the schema registry.")
    ] = False,
    subject: Annotated[str | None, typer.Option(help="Of the registry; none: TOPIC-value.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the files; none: that of the table.")] = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Write schemas/NAME.py and jobs/NAME.py into the current folder: a job that keeps the latest rows of a table.

    With the schema beside the records (schemas.enable) the types are those of the database; without, they are guessed.
    Each guess is said in a line. No file is overwritten. With --registry only the schema file is written, from the
    latest schema of the topic's values.
    """
    from jobs.admin.new import columns, files
    from jobs.admin.new import sample as samples
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    if registry:
        _of_registry(topic, subject or f"{topic}-value", name, places)
        return
    if not debezium:
        raise Refused("say how the records are written: --debezium. Other topics: docs/topics.md says what a file has.")
    if (sample is None) != from_log:
        raise Refused("say where a sample of the records is: --sample FILE, or --from-log.")
    found = samples.of_file(sample) if sample else samples.of_log(read_places(places), topic)
    table = columns.table(found, key or ())
    called = name or files.module_name(topic)
    if not called.isidentifier() or called != called.lower():
        raise Refused(f"--name {called!r} is no name of a Python file: give small letters, digits and _.")
    texts = {
        Path("schemas", f"{called}.py"): files.schema_file(topic, table),
        Path("jobs", f"{called}.py"): files.job_file(called, topic, table, found.is_flat),
    }
    there = [str(path) for path in texts if path.exists()]
    if there:
        raise Refused(f"{' and '.join(there)} is there already, and is not overwritten: give another --name.")
    for path, text in texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for guess in table.guesses:
        typer.echo(f"guessed: {guess}")
    typer.echo(
        f"wrote {' and '.join(map(str, texts))}, of {found.records:,} records; next: headrace check jobs/{called}.py"
    )


def _of_registry(topic: str, subject: str, name: str | None, places: Path) -> None:
    """Write the schema file from the subject's latest schema. Raises Refused if there is none, or the file is there."""
    from jobs.admin.new import files, registry_file
    from jobs.log import schema_registry
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    access = read_places(places).schema_registry
    if access is None:
        raise Refused(f'the places file {places} has no table [schema_registry] with url = "https://HOST:PORT".')
    path = Path("schemas", f"{name or files.module_name(topic)}.py")
    if path.exists():
        raise Refused(f"{path} is there already, and is not overwritten: give another --name.")
    text, guesses = registry_file.schema_file(topic, subject, schema_registry.latest(access, subject))
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    for line in guesses:
        typer.echo(f"guessed: {line}")
    typer.echo(f"wrote {path}, of the latest schema of subject {subject}; next: a job file, docs/tutorial.md")
