"""Jobs that meet a second process, a full disk, or a broker that goes away: each says so, and goes on afterwards."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster.broker import Broker
from tests.cluster.killed_readings import Readings
from tests.jobs.keeping import readings


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_second_process_is_refused_while_the_first_is_only_asleep(tmp_path: Path) -> None:
    world = Readings(tmp_path / "world")
    world.write(readings.only_good(readings.log(each=8)))
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


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_disk_that_is_full_or_read_only_is_told_and_the_next_run_goes_on(
    tmp_path: Path, disk: Callable[[str], Disk]
) -> None:
    world = Readings(tmp_path / "world")
    tables, checkpoints = disk(world.places.tables), disk(world.places.checkpoints)
    log = readings.only_good(readings.log(each=15))
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


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_broker_that_is_killed_in_mid_batch_and_comes_back_loses_nothing(tmp_path: Path, own_broker: Broker) -> None:
    world = Readings.in_kafka(tmp_path / "world", own_broker)
    log = readings.only_good(readings.log(each=20))
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


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_broker_that_stays_away_ends_the_run_with_one_line(tmp_path: Path) -> None:
    world = Readings(tmp_path / "world", "127.0.0.1:1")
    process = world.start()
    _, said = process.communicate(timeout=600)
    assert process.returncode == 1
    assert "127.0.0.1:1 does not answer" in said
