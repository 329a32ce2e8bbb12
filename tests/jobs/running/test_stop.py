"""What signals do to a program that runs jobs. With Spark it is tried in tests/cluster/test_stopped.py."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from jobs.running import stop

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAM = """
import sys, time
from jobs.running import jvm, stop

jvm.hand_over_signals = lambda *_: None
asked = stop.Stop()
with stop.Listener(asked) as listener:
    if "begun" in sys.argv:
        listener.begin(None)
    print("ready", flush=True)
    while not (asked.obey() and "obey" in sys.argv):
        time.sleep(0.01)
sys.exit(asked.exit_code)
"""


def program(*words: str) -> "subprocess.Popen[str]":
    """A program that waits in Python and is ready for signals; "begun": batches may begin, "obey": it stops when it is
    asked to.
    """
    command = [sys.executable, "-c", PROGRAM, *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = subprocess.Popen(command, cwd=ROOT, text=True, **pipes)  # type: ignore[call-overload]
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_program_that_is_asked_to_stop_ends_when_it_can(number: int, code: int) -> None:
    started = program("begun", "obey")
    started.send_signal(number)
    _, said = started.communicate(timeout=60)
    [line] = said.splitlines()
    assert "INFO stopping: the batch at work comes to its end" in line
    assert started.returncode == code


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
def test_another_ctrl_c_ends_it_at_once(first: int) -> None:
    started = program("begun")
    started.send_signal(first)
    assert started.stderr
    assert "INFO stopping: " in started.stderr.readline()
    started.send_signal(signal.SIGTERM)  # changes nothing, as a group of processes may get it twice
    started.send_signal(signal.SIGINT)
    _, said = started.communicate(timeout=60)
    [line] = said.splitlines()
    assert "ERROR ended at once: what was committed stays" in line
    assert started.returncode == 130


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_before_anything_is_read_it_ends_at_once(number: int, code: int) -> None:
    started = program()
    started.send_signal(number)
    _, said = started.communicate(timeout=60)
    [line] = said.splitlines()
    assert line.endswith("ERROR stopped before anything was read")
    assert started.returncode == code


def test_handlers_of_before_are_there_again() -> None:
    before = [signal.getsignal(number) for number in stop.SIGNALS]
    with stop.Listener(stop.Stop()):
        assert [signal.getsignal(number) for number in stop.SIGNALS] != before
    assert [signal.getsignal(number) for number in stop.SIGNALS] == before


def test_only_what_was_left_undone_counts_as_obeyed() -> None:
    asked = stop.Stop()
    assert not asked.obey() and not asked.is_obeyed
    asked.ask(signal.SIGTERM)
    asked.wait(600)  # at once
    assert not asked.is_obeyed
    assert asked.obey() and asked.is_obeyed
