"""One broker for all tests of this folder that need Kafka."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that answers."""
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
