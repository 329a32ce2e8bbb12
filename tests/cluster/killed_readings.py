"""Panes and a membership over the log of readings, whose process is killed."""

from typing import ClassVar

from tests.cluster.kills import World
from tests.jobs.keeping import checks, readings
from tests.jobs.keeping.readings import Record

STEPS = {"panes": ("quarantine", "panes", "windows", "ledger"), "seen": ("quarantine", "rows", "filters", "ledger")}
"""The commits of each result."""
POINTS = [
    *((first, f"{when} {step}") for first, steps in STEPS.items() for step in steps for when in ("before", "after")),
    *(("panes", f"{when} ledger#2") for when in ("before", "after")),  # the row of the windows
    *((first, f"file:{kind}") for first in STEPS for kind in ("offsets", "commits")),
]
"""Every moment that can be named: the result that runs first, and where it dies."""


class Readings(World):
    """The log of readings."""

    names = ("panes", "seen")
    topics: ClassVar = {readings.TOPIC.TOPIC: readings.PARTITIONS}
    uncommitted = (
        "before ledger",
        "before ledger#2",
        *(f"after {step}" for steps in STEPS.values() for step in steps[:3]),
    )

    def log(self, kills: int, seed: int) -> list[Record]:
        return readings.interleaved(readings.log(seed=seed, each=8 * (kills + 1)), seed)

    def write(self, records: list[Record]) -> None:
        self.append(readings.TOPIC.TOPIC, readings.batch(records))
        self.written += records

    def compare(self) -> None:
        checks.check_panes(self.side("panes"))
        checks.check_seen(self.side("seen"))
