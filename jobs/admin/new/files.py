"""The text of the schema file and of the job file of a table whose changes are followed."""

import json
import keyword
import re
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import jobs
import schemas
from jobs.admin.new.columns import NewTable
from jobs.running import project

WIDTH = 120


def module_name(topic: str) -> str:
    """A name for both files: that of the table, which is last in the name of its topic. It is no other module's, as
    under spark-submit jobs/ is the first place that Python looks for one.
    """
    last = re.sub(r"\W", "_", topic.rpartition(".")[2].lower(), flags=re.ASCII).strip("_") or "table"
    name = f"t_{last}" if last[0].isdigit() else last
    taken = {*keyword.kwlist, *sys.stdlib_module_names, *packages_distributions()}
    return f"{name}_rows" if name in taken or is_own(name) else name


def is_own(name: str) -> bool:
    """Whether headrace has a job, a schema file or a part of this name itself, which comes before that of a project.
    In a checkout of headrace the files are the project's.
    """
    folders = [Path(package.__file__ or "").parent for package in (jobs, schemas)]
    has_files = project.folder() != folders[0].parent
    return any((folder / name).is_dir() or (has_files and (folder / f"{name}.py").exists()) for folder in folders)


def schema_file(topic: str, table: NewTable) -> str:
    """The schema file of a topic with these columns."""
    kinds = sorted({word for column in table.columns for word in re.findall(r"[A-Z]\w+", column.kind)})
    names = {column.debezium: _constant(column.debezium) for column in table.columns if column.debezium}
    lines = [
        f'"""Rows of the table {topic.rpartition(".")[2]}, as Debezium writes their changes into the topic."""',
        "",
        *_imports([*kinds, "StructField", "StructType"]),
        "",
        f"TOPIC = {_text(topic)}",
        *(f'{constant} = {{"debezium": "{name}"}}' for name, constant in names.items()),
        "COLUMNS = StructType(",
        "    [",
    ]
    for column in table.columns:
        more = f", {names[column.debezium]}" if column.debezium else ""
        parts = f"{_text(column.name)}, {column.kind}, {not column.is_key}{more}"
        line = f"        StructField({parts}),"
        lines += [line] if len(line) <= WIDTH else ["        StructField(", f"            {parts}", "        ),"]
    return "\n".join([*lines, "    ]", ")", ""])


def _imports(names: list[str]) -> list[str]:
    ordered = sorted(names)
    line = f"from pyspark.sql.types import {', '.join(ordered)}"
    if len(line) <= WIDTH:
        return [line]
    return ["from pyspark.sql.types import (", *(f"    {name}," for name in ordered), ")"]


def _constant(debezium: str) -> str:
    """A name for a kind of numbers: MICRO_TIMESTAMP."""
    package, _, kind = debezium.rpartition(".")
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).upper()
    return words if package.startswith("io.debezium") else f"CONNECT_{words}"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def job_file(name: str, topic: str, table: NewTable, is_flat: bool) -> str:
    """The job file of the latest rows."""
    key = "".join(f"{_text(column.name)}, " for column in table.columns if column.is_key).rstrip()
    key = key if key.count(",") == 1 else key.rstrip(",")
    return f'''"""What does each row of {topic.rpartition(".")[2]} look like now?

in    topic {topic} (schemas/{name}.py), as Debezium writes it
out   table {name}_v1: the row of each key; {name}_v1_deleted: the keys that are deleted
late  the order is that of the database's log, so no change is too late
"""

from pyspark.sql import DataFrame

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes import debezium
from jobs.run import Run, start
from schemas import {name}


def columns(changes: DataFrame) -> DataFrame:
    """All columns. It may only leave some out."""
    return changes


RESULT = Result(
    "{name}_v1",
    Reads({name}, columns, form=debezium.{"FLATTENED" if is_flat else "CHANGES"}),
    Latest(key=({key})),
)


def main(run: Run) -> None:
    """Read new changes, bring the table up to date."""
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
'''
