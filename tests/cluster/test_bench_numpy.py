"""The benchmark's pass in numpy over a topic is right, however the topic is compressed."""

import subprocess
from pathlib import Path

import pytest
from bench_input import Input, into_kafka, write
from compare import check_exact, check_oracle, compare
from contenders import Results, contenders

from tests.cluster.broker import Broker

RECORDS = 2_000


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Input:
    return write(tmp_path_factory.mktemp("bench") / "archive", RECORDS, 500_000, 2)


def computed(name: str, log: Input, out: Path) -> Results:
    contender = contenders()[name]
    out.mkdir()
    subprocess.run(contender.command(log, out), check=True, timeout=120)
    return contender.load(out)


def stored_bytes(broker: Broker, topic: str) -> int:
    """What the broker keeps of a topic on disk."""
    return sum(path.stat().st_size for path in (broker.folder / "log").glob(f"{topic}-*/*.log"))


@pytest.mark.long
def test_numpy_is_exact_with_and_without_compression(broker: Broker, archive: Input, tmp_path: Path) -> None:
    exact = computed("duckdb", archive, tmp_path / "duckdb")
    check_oracle(exact, RECORDS)
    sizes = {}
    for compression in ("zstd", "none"):
        log = into_kafka(archive, broker.servers, compression)
        difference = compare(computed("numpy", log, tmp_path / compression), exact)
        check_exact("numpy", difference)
        assert difference.distinct_error_max == difference.first_seen_error == 0
        sizes[log.home] = stored_bytes(broker, log.topic)
    # The values alone are some 60 bytes each.
    assert sizes["kafka"] < RECORDS * 60 < sizes["kafka-none"]
