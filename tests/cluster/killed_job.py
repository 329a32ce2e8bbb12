"""A process that keeps the results over one log, and ends itself as `kill -9` would, at the moment it is told.

Arguments: places file; the result that runs first; when to die: "", "STEP" or "STEP#2" (the second time that the first
result comes to a commit, such as "after panes"), "file:offsets" or "file:commits" (as soon as Spark has written such a
file), "commit:TABLE" (as soon as the table has a new commit), "random:SECONDS" (after the session has started).
Prints the seconds from its start to the first new commit.
"""

import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any

from deltalake import DeltaTable
from deltalake.table import TableOptimizer

from jobs import run
from jobs.answers.delivery import Topic
from jobs.keeping import fast_pass, housekeeping, microbatch
from jobs.keeping.steps import announce
from tests.jobs.keeping import readings, searches, searches_by_hand

ROOT = Path(__file__).parent.parent.parent
OUTCOMES, SESSIONS = "outcomes", "sessions"
"""Topics that are filled."""
RESULTS = {
    "panes": replace(readings.PANES, name="panes_v1"),
    "seen": readings.SEEN,
    "clicked": searches.result("clicked_v1", searches_by_hand.CLICKED, deliver=(Topic(OUTCOMES),)),
    "sessions": searches.result("sessions_v1", searches_by_hand.VISITS, searches.ALONE, deliver=(Topic(SESSIONS),)),
}
LOGS = (("panes", "seen"), ("clicked", "sessions"))
"""The results over each log."""
HOUSEKEEPING_ROWS = 2
"""Rows of the ledger from one housekeeping to the next: each run comes to one."""


def die() -> None:
    """The whole group of processes at once: Python and Java."""
    os.killpg(os.getpgrp(), signal.SIGKILL)


def watch(folder: Path, files: str) -> None:
    """Die as soon as there is a new file with such a name, whose stem is a number."""

    def there() -> set[Path]:
        return {path for path in folder.glob(files) if path.stem.isdigit()}

    before = there()
    while not there() - before:
        time.sleep(0.002)
    die()


def start_watch(places: run.Places, kind: str, detail: str) -> None:
    """Watch for the files of Spark's checkpoints or of a table's commits."""
    checkpoint = (Path(places.checkpoints), f"*/generation-*/{detail}/*")
    watched = {"file": checkpoint, "commit": (Path(places.tables), f"{detail}/_delta_log/*.json")}
    if kind in watched:
        threading.Thread(target=watch, args=watched[kind], daemon=True).start()


def announce_housekeeping(step: Callable[[str], None]) -> None:
    """Tell `step` of what housekeeping does to tables, which is no step of a batch: "before delete" and so on."""
    for owner, name in ((DeltaTable, "delete"), (TableOptimizer, "compact"), (DeltaTable, "vacuum")):
        setattr(owner, name, _announced(getattr(owner, name), step))


def _announced(function: Any, step: Callable[[str], None]) -> Any:
    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        with announce(step, function.__name__):
            return function(*arguments, **named)

    return call


def main(places_file: str, first: str, when: str) -> None:
    """Keep the results over the log of `first`, that one first."""
    housekeeping.EVERY_ROWS = HOUSEKEEPING_ROWS
    begun = time.time() - float(Path("/proc/uptime").read_text().split()[0]) + _started_ticks()
    places = run.places(Path(places_file))
    met: Counter[str] = Counter()
    spark = run.session(run.profile(ROOT / "conf" / run.LOCAL_PROFILE))
    kind, _, detail = when.partition(":")
    if kind == "random":
        threading.Timer(float(detail), die).start()
    start_watch(places, kind, detail)
    said: list[float] = []

    def step(name: str) -> None:
        met[name] += 1
        if when in (name, f"{name}#{met[name]}") and (when != name or met[name] == 1):
            die()
        if name.startswith("after") and not said:
            said.append(time.time() - begun)
            print(f"first commit after {said[0]:.2f} seconds", flush=True)

    if first in ("panes", "sessions"):  # else the driver reads so few records, and no task does
        fast_pass.FEW_RECORDS = 0
    announce_housekeeping(step)
    with run.one_line_errors():
        [names] = [names for names in LOGS if first in names]
        for name in sorted(names, key=lambda name: name != first):
            quiet: Any = step if name == first else (lambda _: None)
            microbatch.keep(run.Run(spark, places, step=quiet), RESULTS[name])
    os._exit(0)  # the timer must not wait


def _started_ticks() -> float:
    """When this process was started, in seconds since the system was."""
    fields = Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[19]) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(*sys.argv[1:])
