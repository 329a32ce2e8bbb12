"""A job file and its schema file, right as they are, in which a test makes one mistake."""

import runpy
import sys
from pathlib import Path
from typing import Any

import pytest

SCHEMA = '''"""Rides."""

from pyspark.sql.types import StringType, StructField, StructType, TimestampType

TOPIC = "rides"
KEY = None
EVENT_TIME = "begun"
COLUMNS = StructType(
    [
        StructField("begun", TimestampType(), False),
        StructField("bike", StringType(), False),
        StructField("minutes", StringType(), True),
    ]
)
'''

JOB = '''"""How long are rides?"""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from jobs import keeping
from jobs.answers.result import Reads, Result
from jobs.answers.windows import CalendarDay, Tumbling, Windows
from jobs.facts.panes import Panes
from jobs.run import Run, start
import rides_schema as rides

PANES = Panes(every="5 minutes", by=("bike",), averages=("minutes",))
WINDOWS = (Tumbling("1 hour"), CalendarDay("Europe/Zurich"))


def transform(events: DataFrame) -> DataFrame:
    minutes = F.col("minutes").try_cast("int")
    return events.select("event_time", "bike", minutes.alias("minutes"))


RESULT = Result("rides_v1", Reads(rides, transform), Windows(PANES, *WINDOWS))


def main(run: Run) -> None:
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
'''


def write(folder: Path, change: tuple[str, str] = ("", ""), schema: tuple[str, str] = ("", "")) -> Path:
    """The two files in `folder`, with one text put in place of another in each; returns the job file."""
    for name, text, (old, new) in (("rides_schema", SCHEMA, schema), ("rides", JOB, change)):
        assert text.count(old) == 1 or not old, f"{old} is there {text.count(old)} times"
        (folder / f"{name}.py").write_text(text.replace(old, new) if old else text)
    return folder / "rides.py"


def line_of(file: Path, text: str) -> int:
    """The number of the first line with this text."""
    return next(number for number, line in enumerate(file.read_text().splitlines(), 1) if text in line)


def load(file: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the job file defines; its folder is the first that Python looks in, as for a program."""
    monkeypatch.syspath_prepend(str(file.parent))
    monkeypatch.delitem(sys.modules, "rides_schema", raising=False)
    return runpy.run_path(str(file), run_name="rides")
