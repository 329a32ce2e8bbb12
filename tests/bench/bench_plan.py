"""What a benchmark is going to run, in which order, and about how long that takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench_broker import REST_SECONDS
from bench_input import ARCHIVE, KAFKA, Input
from contenders import Contender

ORACLE = "duckdb"
SECONDS_TO_WRITE = 15
"""About how long it takes to write a million records into a home, on two slow cores."""


@dataclass(frozen=True)
class Entry:
    """A contender and the log that it reads."""

    contender: Contender
    log: Input

    @property
    def name(self) -> str:
        """For people, and for the folder of its tables."""
        return f"{self.contender.name}-{self.log.home}"


def entries(known: list[Contender], logs: Sequence[Input]) -> list[Entry]:
    """Each contender with each log that it can read; the oracle, which is the first, in its own home alone."""
    return [
        Entry(contender, log)
        for contender in known
        for log in logs
        if (KAFKA if log.servers else ARCHIVE) in contender.homes
    ]


def turns(all_entries: list[Entry], repeat: int) -> Iterator[Entry]:
    """The entries in the order in which they run: each repeat begins with another one, the first with the oracle."""
    yield from all_entries
    again = [entry for entry in all_entries if not entry.contender.once]
    for turn in range(1, repeat):
        first = turn % max(1, len(again))
        yield from again[first:] + again[:first]


def minutes(known: list[Contender], kinds: Sequence[str], sizes: Sequence[int], repeat: int) -> float:
    """About how long all of it takes, on two slow cores. `kinds`: archive or kafka, for each log of a size."""
    seconds = 0.0
    logs_written = 1 + kinds.count(KAFKA)
    for size in sizes:
        seconds += SECONDS_TO_WRITE * size / 1e6 * logs_written + (REST_SECONDS if KAFKA in kinds else 0)
        for contender in known:
            runs = sum(kind in contender.homes for kind in kinds) * (1 if contender.once else repeat)
            seconds += runs * contender.expected(size)
    return seconds / 60
