"""Jobs whose processes are killed, stopped, or meet a full disk: in the end their tables are those of the log."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.broker import Broker
from tests.cluster.killed_readings import POINTS, Readings
from tests.cluster.killed_searches import Searches
from tests.cluster.kills import history
from tests.jobs.keeping import readings


@pytest.fixture(scope="module")
def own_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker that may be killed."""
    started = Broker(tmp_path_factory.mktemp("kafka") / "broker").start()
    yield started
    started.stop()


DICE = random.Random(20)
ANYTIME = [(DICE.choice(["panes", "seen"]), f"random:{DICE.uniform(0, 5):.2f}") for _ in range(25 - len(POINTS))]
HISTORIES = {
    "archive": (POINTS[0::3] + ANYTIME[0::3], {1: "lose", 2: "keep_copy", 5: "truncate", 8: "restore"}),
    "archive again": (POINTS[1::3] + ANYTIME[1::3], {3: "truncate", 4: "keep_copy", 6: "lose", 9: "restore"}),
    "kafka": (POINTS[2::3] + ANYTIME[2::3], {1: "lose", 2: "keep_copy", 5: "truncate", 8: "restore"}),
}
"""25 kills: each moment that can be named, once, and some that nobody chose; and what is done to checkpoints."""


@pytest.mark.slow
@pytest.mark.timeout(2400)
@pytest.mark.parametrize("name", HISTORIES)
def test_a_process_that_is_killed_at_any_commit_and_at_any_moment_loses_and_doubles_nothing(
    name: str, tmp_path: Path, own_broker: Broker, record_property: Callable[[str, object], None]
) -> None:
    kills, spoil = HISTORIES[name]
    world = Readings.in_kafka(tmp_path / "world", own_broker) if name == "kafka" else Readings(tmp_path / "world")
    report = history(world, kills, {after: getattr(world, what) for after, what in spoil.items()}, len(name))
    record_property("report", f"{name}: {report}")
    assert report.kills == len(kills)
    assert (report.lost, report.doubled) == (0, 0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_process_that_is_killed_in_a_publish_or_a_delivery_sends_each_change_once(
    tmp_path: Path, own_broker: Broker
) -> None:
    """Into a topic of Kafka: the ledger knows of the publish and not of the transaction, and the other way round."""
    kills = [("clicked", "after feed"), ("clicked", "after delivery")]
    report = history(Searches.in_kafka(tmp_path / "world", own_broker), kills, {}, 5)
    assert report.kills == len(kills)
    assert (report.lost, report.doubled) == (0, 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_second_process_is_refused_while_the_first_is_only_asleep(tmp_path: Path) -> None:
    world = Readings(tmp_path / "world")
    world.write(readings.log(each=8))
    sleeping = world.start()
    until = time.monotonic() + 500
    while not list(Path(world.places.checkpoints).glob("*/generation-*/offsets/0")) and time.monotonic() < until:
        time.sleep(0.01)
    os.killpg(sleeping.pid, signal.SIGSTOP)
    second = world.start()
    _, said = second.communicate(timeout=600)
    os.killpg(sleeping.pid, signal.SIGCONT)
    assert second.returncode == 1
    assert "running already" in said
    assert sleeping.wait(600) == 0
    world.check()


class Disk:
    """A small disk of its own in the place of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        self._mount("-t", "tmpfs", "-o", "size=8m", "tmpfs")

    def _mount(self, *how: str) -> None:
        if subprocess.run(["mount", *how, str(self.folder)], check=False).returncode:
            pytest.skip("only root may make a small disk")

    def fill(self) -> None:
        free = os.statvfs(self.folder)
        (self.folder / "filler").write_bytes(b"\0" * (free.f_bavail * free.f_frsize))

    def empty(self) -> None:
        (self.folder / "filler").unlink()

    def close(self) -> None:
        """Nobody may write any more."""
        self._mount("-o", "remount,ro")

    def open(self) -> None:
        self._mount("-o", "remount,rw")


@pytest.fixture
def disk() -> Iterator[Callable[[str], Disk]]:
    made: list[Disk] = []

    def make(folder: str) -> Disk:
        made.append(Disk(Path(folder)))
        return made[-1]

    yield make
    for each in made:
        subprocess.run(["umount", str(each.folder)], check=True)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_or_read_only_is_told_and_the_next_run_goes_on(
    tmp_path: Path, disk: Callable[[str], Disk]
) -> None:
    world = Readings(tmp_path / "world")
    tables, checkpoints = disk(world.places.tables), disk(world.places.checkpoints)
    log = readings.log(each=12)
    accidents = [
        (tables.fill, tables.empty, "the disk is full"),
        (checkpoints.fill, checkpoints.empty, "the disk is full"),
        (tables.close, tables.open, "the file system is read-only"),
    ]
    world.write(log[:9])
    assert not world.run()
    for number, (spoil, mend, told) in enumerate(accidents, 1):
        world.write(log[number * 9 : (number + 1) * 9])
        spoil()
        spoiled = world.start()
        _, said = spoiled.communicate(timeout=600)
        mend()
        assert (spoiled.returncode, said.count("headrace: ")) == (1, 1), said
        assert told in said
        world.diagnose()
    world.check()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_broker_that_is_killed_in_mid_batch_and_comes_back_loses_nothing(tmp_path: Path, own_broker: Broker) -> None:
    world = Readings.in_kafka(tmp_path / "world", own_broker)
    log = readings.log(each=20)
    world.write(log[:30])
    process = world.start()
    until = time.monotonic() + 500
    while not list(Path(world.places.checkpoints).glob("*/generation-*/offsets/0")) and time.monotonic() < until:
        time.sleep(0.01)
    own_broker.kill()
    time.sleep(5)
    own_broker.start()
    _, said = process.communicate(timeout=600)
    assert process.returncode == 0 or ("headrace:" in said and "broker" in said), said
    world.write(log[30:])
    world.check()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_broker_that_stays_away_ends_the_run_with_one_line(tmp_path: Path) -> None:
    world = Readings(tmp_path / "world", "127.0.0.1:1")
    process = world.start()
    _, said = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "127.0.0.1:1 does not answer" in said
