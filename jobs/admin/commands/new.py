"""headrace new: the schema file, the job file and the test of a topic, from a sample of its records."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from jobs.admin.input.csv_options import Columns, CsvOptions, DecimalComma, Delimiter, Encoding, Null, Text
from jobs.admin.options import DEFAULT_PLACES, PlacesFile

if TYPE_CHECKING:
    from jobs.admin.new.written_files import NewFiles


def new(
    topic: Annotated[str, typer.Argument(help="Topic, such as clicks; with --debezium store.public.customers.")],
    sample: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Records of the topic: a JSON object in each line, or CSV; .gz too. None: those in the log. With "
            "--debezium a line has the value, or the key, a tab, and the value.",
        ),
    ] = None,
    from_log: Annotated[bool, typer.Option("--from-log", help="Take the first records of the topic itself.")] = False,
    time: Annotated[
        str | None,
        typer.Option(metavar="FIELD", help="That says when it happened, such as at, or meta.at. Else guessed."),
    ] = None,
    key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="That is the record key. Else guessed. With --debezium of the primary key; may be repeated.",
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the files; none: the last word of the topic.")] = None,
    debezium: Annotated[
        bool, typer.Option("--debezium", help="Its records are changes of a table, as Debezium writes them in JSON.")
    ] = False,
    registry: Annotated[
        bool, typer.Option("--registry", help="Its values are Avro or Protobuf of the schema registry.")
    ] = False,
    subject: Annotated[str | None, typer.Option(help="Of the registry; none: TOPIC-value.")] = None,
    delimiter: Delimiter = None,
    encoding: Encoding = None,
    decimal_comma: DecimalComma = False,
    columns: Columns = None,
    text: Text = None,
    null: Null = None,
    places: PlacesFile = DEFAULT_PLACES,
) -> None:
    """Write schemas/NAME.py, jobs/NAME.py and tests/test_NAME.py into the project: a first result of a topic.

    Names and types of the fields are those of the sample; which one says when it happened, what is counted, averaged
    and grouped by is guessed. Each guess is said in a line, and the next commands at the end. No file is overwritten.
    With --debezium: a job that keeps the latest rows of a table; the types are those of the database if its schema
    stands beside the records (schemas.enable). With --registry: the schema file alone, from the latest
    schemas of the topic's values and keys.
    """
    from jobs.admin.new import written_files
    from jobs.running.errors import Refused
    from jobs.running.places import read_places

    if sample and from_log:
        raise Refused("give a sample, --sample FILE, or take the records of the log, --from-log: not both.")
    csv = CsvOptions(delimiter, encoding, decimal_comma, columns, text, null)
    found = None if sample else (lambda: read_places(places))
    if (debezium or registry) and (time or csv.option_names()):
        option = "--time" if time else csv.option_names()[0]
        raise Refused(f"{option} is for records of events, not for {'--debezium' if debezium else '--registry'}.")
    if registry:
        files = written_files.of_registry(topic, subject or f"{topic}-value", name, places)
    elif debezium:
        files = written_files.of_changes(topic, sample, found, key or (), name)
    else:
        if len(key or ()) > 1:
            raise Refused("--key names one field, that of the record key.")
        files = written_files.of_events(topic, sample, found, csv, time, key[0] if key else None, name)
    written_files.write(files)
    for line in lines(files):
        typer.echo(line)


def lines(files: "NewFiles") -> Sequence[str]:
    """What is said about them: guesses, files, next commands."""
    *first, last = map(str, files.texts)
    wrote = f"wrote {', '.join(first)} and {last}" if first else f"wrote {last}"
    guessed = [f"guessed: {' '.join(guess.split())}" for guess in files.guesses]
    return [*guessed, f"{wrote}, of {files.source}; next:", *(f"  {command}" for command in files.next_commands)]
