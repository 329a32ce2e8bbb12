"""What several tests share: one small Spark for all of them, and places of their own for each."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from pyspark.sql import SparkSession

from jobs import run

ROOT = Path(__file__).parent.parent
for helper in (path for path in sorted((ROOT / "tests").rglob("*.py")) if not path.name.startswith("test_")):
    pytest.register_assert_rewrite(".".join(helper.relative_to(ROOT).with_suffix("").parts))  # a failure says more

LONG_FILES = ("test_own_project.py", "test_notebooks.py", "test_docs.py")

settings.register_profile("untimed", deadline=None)  # a slow machine is no fault
settings.load_profile("untimed")


def pytest_configure() -> None:
    """Ended by a scheduler, the tests still stop the servers that they have started."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("terminated", 143))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start Spark, a broker or a cluster are marked: `make quick` leaves them out. Files of minutes come
    first: at the end one process would wait for another.
    """
    items.sort(key=lambda item: item.path.name not in LONG_FILES)
    for item in items:
        if {"spark", "headrace_session"} & set(getattr(item, "fixturenames", ())) or "cluster" in item.path.parts:
            item.add_marker(pytest.mark.java)


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Spark with the settings of the local profile."""
    session = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE))
    yield session
    session.stop()


@pytest.fixture
def places(tmp_path: Path) -> run.Places:
    """Places in a folder of the test's own."""
    return run.Places(archive=f"{tmp_path}/archive", tables=f"{tmp_path}/tables", checkpoints=f"{tmp_path}/checkpoints")


@pytest.fixture
def a_run(spark: SparkSession, places: run.Places) -> Callable[..., run.Run]:
    """Makes a run in the test's places; keywords are those of run.Run."""
    return lambda **more: run.Run(spark, places, **({"say": lambda _: None} | more))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What a test wants to be read although it passed: its property `report`."""
    for done in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, value in done.user_properties:
            if name == "report" and done.when == "call":
                terminalreporter.write_line(str(value))
