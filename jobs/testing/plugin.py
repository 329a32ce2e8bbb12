"""The plugin for pytest that is there wherever headrace is installed: the fixture `run_result`.

Nothing heavy is imported before a test asks for it, as every start of pytest imports this file.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.answers.result import Result
    from jobs.testing.records import Records
    from jobs.testing.rows import Rows


class RunResult(Protocol):
    """What the fixture `run_result` is."""

    def __call__(
        self, result: "Result", records: "Records", *, partitions: int = 1, cuts: int = 0, seed: int = 0
    ) -> "Rows":
        """What `result` publishes of a log with these records, in this order. Nothing is delivered.

        `records`: values, as dictionaries of JSON, text or bytes, or tuples (key, value, timestamp); by topic, if the
        result reads several. `partitions`: of each topic; keys say which, as in Kafka, or a tuple (key, value,
        timestamp, partition). `cuts`: so often the log is read once more, in two runs that are parted at a random
        record, and in batches of a random size; `seed` gives others. Raises AssertionError if that gives other rows,
        Refused or Mistake as a run does.
        """


@pytest.fixture(scope="session")
def headrace_session() -> "Iterator[SparkSession]":
    """Spark for all tests of a session of pytest, with the settings of the project."""
    from jobs.run import LOCAL_PROFILE, session
    from jobs.running import project
    from jobs.running.java import profile

    spark = session(profile(project.folder() / "conf" / LOCAL_PROFILE))
    yield spark
    spark.stop()


@pytest.fixture
def run_result(headrace_session: "SparkSession", tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    """Runs a result over records, in a folder of the test's own."""
    from jobs.testing.result_runs import ResultRuns

    folder: Path = tmp_path_factory.mktemp("run_result")
    return ResultRuns(headrace_session, folder)
