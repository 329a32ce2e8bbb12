"""The broker that contenders read from, and how much CPU it takes for each of them."""

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import psutil
from bench_input import ROOT

REST_SECONDS = 10
"""How long it is watched while nobody reads."""


class Load:
    """CPU time of a broker beyond what it takes when nobody reads. `servers` is its address."""

    def __init__(self, servers: str, pid: int) -> None:
        self.servers = servers
        self._process = psutil.Process(pid)
        self._idle_cores = 0.0

    def _cpu(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def rest(self, seconds: float = REST_SECONDS) -> float:
        """Watch it while nobody reads; the cores it takes then."""
        cpu, began = self._cpu(), time.monotonic()
        time.sleep(seconds)
        self._idle_cores = (self._cpu() - cpu) / (time.monotonic() - began)
        return self._idle_cores

    def now(self) -> tuple[float, float]:
        """A point from which `since` counts: the broker's CPU-seconds, and the time."""
        return self._cpu(), time.monotonic()

    def since(self, point: tuple[float, float]) -> float:
        """CPU-seconds since a point of `now`, less what the broker takes at rest; never below 0."""
        cpu, moment = (new - old for new, old in zip(self.now(), point, strict=True))
        return max(0.0, cpu - self._idle_cores * moment)


@contextmanager
def broker() -> Iterator[Load]:
    """A broker that has nothing yet, for as long as the block runs."""
    sys.path.append(str(ROOT))
    kit = import_module("tests.cluster.broker")
    with tempfile.TemporaryDirectory(prefix="headrace-broker-") as place:
        started = kit.Broker(Path(place) / "broker", **{"log.retention.check.interval.ms": "300000"}).start()
        try:
            yield Load(started.servers, started.pid)
        finally:
            started.stop()
