"""The files of a new topic, put together from a sample, and written into the project."""

import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jobs.admin.input.csv_options import CsvOptions
from jobs.admin.new import (
    change_test,
    columns,
    event_time_guess,
    files,
    first_result,
    record_fields,
    record_job,
    record_sample,
    record_schema,
    record_test,
    sample,
)
from jobs.admin.new.event_time_guess import EventTimeGuess
from jobs.log.topic import check_name
from jobs.running import project
from jobs.running.errors import Refused
from jobs.running.places import Places, read_places

FindPlaces = Callable[[], Places] | None
"""Where the log is, if the sample is taken from there."""


@dataclass(frozen=True)
class NewFiles:
    """What is to be written, and what is to be said about it."""

    texts: Mapping[Path, str]
    """By path, from the current folder."""
    source: str
    """What they were made of."""
    guesses: Sequence[str]
    next_commands: Sequence[str]


def of_changes(
    topic: str, file: Path | None, find_places: FindPlaces, key: Sequence[str], name: str | None
) -> NewFiles:
    """Schema, job and test of a table whose changes Debezium captures. Raises Refused for what is no sample of such."""
    found = sample.of_file(file) if file else sample.of_log(_places(find_places), topic)
    table = columns.table(found, key)
    called = _name(name, topic)
    texts = {
        _path("schemas", f"{called}.py"): files.schema_file(topic, table),
        _path("jobs", f"{called}.py"): files.job_file(called, topic, table, found.is_flat),
    }
    has_keys = bool(found.keys)  # before a tab, which is no JSON
    produce = [shlex.join(["headrace", "produce", topic, str(file)])] if file and not has_keys else []
    guesses, commands = [*_name_note(name, topic, called), *table.guesses], [_check(called), *produce, _run(called)]
    row = change_test.pick(found, table)
    if row:
        texts[_path("tests", f"test_{called}.py")] = change_test.text(called, table, found.is_flat, row)
        commands.insert(1, _pytest(called))
    else:
        guesses.append("no row of the sample has its whole key, so no test is written: docs/testing.md has one")
    return NewFiles(texts, f"{found.records:,} records", guesses, commands)


def of_registry(topic: str, subject: str, name: str | None, places_file: Path) -> NewFiles:
    """Schema of a topic whose values are encoded by the latest schema of a subject, and its keys by that of TOPIC-key,
    if there is one. Raises Refused if there is none for the values.
    """
    from jobs.admin.new import registry_file  # what it needs is of the extra `registry`
    from jobs.log import schema_registry

    access = read_places(places_file).schema_registry
    if access is None:
        raise Refused(f'the places file {places_file} has no table [schema_registry] with url = "https://HOST:PORT".')
    called = _name(name, topic)
    values = schema_registry.latest(access, subject)
    keys = schema_registry.latest_if_any(access, f"{topic}-key")
    text, guesses = registry_file.schema_file(topic, subject, values, keys)
    texts = {_path("schemas", f"{called}.py"): text}
    return NewFiles(texts, f"the latest schema of subject {subject}", guesses, ("a job file, docs/tutorial.md",))


def of_events(
    topic: str,
    file: Path | None,
    find_places: FindPlaces,
    csv: CsvOptions,
    time: str | None,
    key: str | None,
    name: str | None,
) -> NewFiles:
    """Schema, job and test of a topic of events; `time` and `key`: fields that a person has named. Raises Refused for
    what is no sample, and for fields that there are not.
    """
    check_name(topic)
    if csv.option_names() and not (file and record_sample.is_csv(file)):
        raise Refused(f"{csv.option_names()[0]} is for CSV: give a sample whose name ends in .csv or .tsv.")
    found = record_sample.of_file(file, topic, csv) if file else record_sample.of_log(_places(find_places), topic)
    notes = (
        [f"records that are no JSON object: {found.unread:,}; a job puts them into quarantine"] if found.unread else []
    )
    fields = record_fields.of_rows(found.rows, notes)
    guess = event_time_guess.choose(fields, time)
    fields = record_fields.without_event_time(fields, guess.name, notes)
    if time is None:
        notes.insert(0, f"time: {guess.name or 'that of the record'}, as {guess.words}; else --time FIELD")
    proposal = first_result.propose(found, fields, guess, key, notes)
    called = _name(name, topic)
    notes[:0] = _name_note(name, topic, called)
    if all(record_sample.is_change(row) for row in found.rows):
        notes.insert(0, "the records are changes of a table, as Debezium writes them: --debezium keeps its rows")
    rows = record_test.pick(fields, found.rows)
    if not rows:
        notes.append("no record of the sample has all fields in their types: write RECORDS of the test yourself")
    texts = {
        _path("schemas", f"{called}.py"): record_schema.text(topic, fields, guess, proposal.key),
        _path("jobs", f"{called}.py"): record_job.text(called, topic, proposal, guess),
        _path("tests", f"test_{called}.py"): record_test.text(
            called, proposal, rows, record_test.is_empty_bad(fields, guess, proposal)
        ),
    }
    produce = [_produce(topic, file, csv, guess, proposal.key.name if proposal.key else None)] if file else []
    if produce and found.unread:
        produce[0] += " --keep-bad"
    query = f"headrace query {shlex.quote(record_job.query(called, proposal))}"
    commands = [_check(called), _pytest(called), *produce]
    return NewFiles(texts, f"{len(found.rows):,} records", notes, [*commands, _run(called), query])


def write(found: NewFiles) -> None:
    """Write them. Raises Refused if one is there already: then none is written."""
    there = [str(path) for path in found.texts if path.exists()]
    if there:
        verb = "is" if len(there) == 1 else "are"
        raise Refused(f"{' and '.join(there)} {verb} there already, and {verb} not overwritten: give another --name.")
    for path, text in found.texts.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _places(find_places: FindPlaces) -> Places:
    assert find_places
    return find_places()


def _path(folder: str, name: str) -> Path:
    """In the project, from the current folder."""
    return Path(os.path.relpath(project.folder() / folder / name))


def _name(given: str | None, topic: str) -> str:
    called = given or files.module_name(topic)
    if not called.isidentifier() or called != called.lower():
        raise Refused(f"--name {called!r} is no name of a Python file: give small letters, digits and _.")
    if files.is_own(called) and not _path("jobs", f"{called}.py").exists():
        raise Refused(f"--name {called}: a file of headrace has this name, and Python would take that: give another.")
    return called


def _name_note(given: str | None, topic: str, called: str) -> list[str]:
    """That the files are not called as the topic is, if a person might look for that name."""
    last = topic.rpartition(".")[2].lower()
    is_taken = given is None and called == f"{last}_rows"
    return [f"name: {called}, as Python has something else called {last}; else --name NAME"] if is_taken else []


def _check(called: str) -> str:
    return f"headrace check {shlex.quote(str(_path('jobs', f'{called}.py')))}"


def _pytest(called: str) -> str:
    return f"pytest {shlex.quote(str(_path('tests', f'test_{called}.py')))}"


def _run(called: str) -> str:
    return f"headrace run {shlex.quote(str(_path('jobs', f'{called}.py')))}"


def _produce(topic: str, file: Path, csv: CsvOptions, time: EventTimeGuess, key: str | None) -> str:
    """The command that writes the sample into the log. The record timestamp is the event time, where the command can
    read that, of each record.
    """
    words = ["headrace", "produce", topic, str(file), *(["--key", key] if key else [])]
    if time.field and len(time.field.path) == 1 and time.has_zone and not (time.field.nullable or time.odd):
        words += ["--timestamp", time.field.name, *(["--timestamp-unit", time.unit] if time.unit else [])]
    given = {"--delimiter": csv.delimiter, "--encoding": csv.encoding, "--columns": csv.columns}
    words += [word for option, value in given.items() if value for word in (option, value)]
    words += ["--decimal-comma"] if csv.decimal_comma else []
    words += [
        word
        for option, values in (("--text", csv.text), ("--null", csv.null))
        for value in values or ()
        for word in (option, value)
    ]
    return shlex.join(words)
