"""One broker for all tests of this folder that need one, and a database for each of its modules."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.broker import Broker, tools
from tests.cluster.debezium import Connector
from tests.cluster.postgres import Postgres

KEPT: list[Broker] = []
"""The broker that the tests of this folder share, once one of them has asked for it."""


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """After the tests of this folder it stops: a broker that nobody asks still takes 7 % of a core."""
    if nextitem is not None and item.path.parent != nextitem.path.parent:
        pytest_sessionfinish()


def pytest_sessionfinish() -> None:
    """Stop it, whatever has ended the tests."""
    for each in KEPT:
        each.stop()


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Broker:
    """A broker that answers."""
    if not KEPT:
        KEPT.append(Broker(tmp_path_factory.mktemp("kafka") / "broker"))
    return KEPT[0] if KEPT[0].is_running else KEPT[0].start()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A database that answers; each module has its own, as tables and roles of the same name would meet."""
    started = Postgres()
    try:
        yield started.start()
    finally:
        started.stop()
        started.delete()


@pytest.fixture(scope="module")
def connector(
    broker: Broker, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Connector]]:
    """Starts connectors between the two; arguments are the name, the tables and the options of Connector. They stop
    after the last test of the module.
    """
    folder = tmp_path_factory.mktemp("debezium")
    with ExitStack() as stack:

        def start(name: str, *tables: str, **options: Any) -> Connector:
            made = Connector(folder / name, broker, postgres, name, *tables, **options)
            stack.callback(made.stop)
            return made.start()

        yield start


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be killed."""
    started = Broker(tmp_path_factory.mktemp("kafka") / "broker").start()
    yield started
    started.stop()


@pytest.fixture
def kafka_places(broker: Broker, tmp_path: Path) -> Path:
    """A places file whose log is in Kafka, and whose archive is its own."""
    lines = ['log = "kafka"', *(f'{name} = "kafka-{name}"' for name in ("archive", "tables", "checkpoints"))]
    path = tmp_path / "kafka.toml"
    path.write_text("\n".join([*lines, "[kafka]", f'servers = "{broker.servers}"', ""]))
    return path


@pytest.fixture(scope="session")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], None]:
    """Types what a message gives as remedy after its last colon and blank, in a shell that has Kafka's own commands."""
    path = f"{tools(tmp_path_factory.mktemp('kafka') / 'bin')}{os.pathsep}{os.environ['PATH']}"

    def run(message: str) -> None:
        line = message.rstrip("\n").partition(": kafka-")[2]
        done = subprocess.run(
            ["bash", "-c", f"kafka-{line}"],
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert line and done.returncode == 0, f"{message}\n{done.stdout}\n{done.stderr}"

    return run
