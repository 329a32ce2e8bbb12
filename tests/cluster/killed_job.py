"""A process that keeps two results over one log, and ends itself as `kill -9` would, at the moment it is told.

Arguments: places file; the result that runs first; when to die: "", "STEP" or "STEP#2" (the second time that the first
result comes to a commit, such as "after panes"), "file:offsets" or "file:commits" (as soon as Spark has written such a
file), "random:SECONDS" (after the session has started). Prints the seconds from its start to the first new commit.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from jobs import run
from jobs.keeping import fast_pass, microbatch
from tests.jobs.keeping import readings

ROOT = Path(__file__).parent.parent.parent
RESULTS = {"panes": replace(readings.PANES, name="panes_v1"), "seen": readings.SEEN}


def die() -> None:
    """The whole group of processes at once: Python and Java."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch(folder: Path, kind: str) -> None:
    """Die as soon as there is a new file of this kind in a checkpoint."""

    def there() -> set[Path]:
        return {path for path in folder.glob(f"*/generation-*/{kind}/*") if path.name.isdigit()}

    before = there()
    while not there() - before:
        time.sleep(0.002)
    die()


def main(places_file: str, first: str, when: str) -> None:
    """Keep both results, `first` first."""
    begun = time.time() - float(Path("/proc/uptime").read_text().split()[0]) + _started_ticks()
    places = run.places(Path(places_file))
    met: Counter[str] = Counter()
    spark = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE))
    kind, _, detail = when.partition(":")
    if kind == "random":
        threading.Timer(float(detail), die).start()
    elif kind == "file":
        threading.Thread(target=watch, args=(Path(places.checkpoints), detail), daemon=True).start()
    said: list[float] = []

    def step(name: str) -> None:
        met[name] += 1
        if when in (name, f"{name}#{met[name]}") and (when != name or met[name] == 1):
            die()
        if name.startswith("after") and not said:
            said.append(time.time() - begun)
            print(f"first commit after {said[0]:.2f} seconds", flush=True)

    if first == "panes":  # else the driver reads so few records, and no task does
        fast_pass.FEW_RECORDS = 0
    with run.one_line_errors():
        for name in sorted(RESULTS, key=lambda name: name != first):
            quiet: Any = step if name == first else (lambda _: None)
            microbatch.keep(run.Run(spark, places, step=quiet), RESULTS[name])
    os._exit(0)  # the timer must not wait


def _started_ticks() -> float:
    """When this process was started, in seconds since the system was."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
