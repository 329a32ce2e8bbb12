"""Kills jobs as often as asked, at commits and at any moment, over both homes of the log: make chaos N=100 SEED=7.

Each moment that can be named comes once before any comes again. Prints the seed, a line for each history, and the
report. Exit code 1 if a table is not that of the log.
"""

import argparse
import itertools
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster.broker import Broker
from tests.cluster.killed_readings import POINTS as POINTS_OF_READINGS
from tests.cluster.killed_readings import Readings
from tests.cluster.killed_searches import POINTS as POINTS_OF_SEARCHES
from tests.cluster.killed_searches import Searches
from tests.cluster.kills import Report, World, history

KILLS = 5
"""In one history."""
MOMENTS: dict[type[World], list[tuple[str, str]]] = {Searches: POINTS_OF_SEARCHES, Readings: POINTS_OF_READINGS}
"""Where the results of a log may die."""
HISTORIES: list[tuple[type[World], bool]] = [(Searches, True), (Readings, False), (Searches, False), (Readings, True)]
"""One after another: the log with its results, and whether it is in Kafka."""


def main() -> None:
    """Run histories until there were so many kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    dice, total = random.Random(arguments.seed), Report()
    moments = {kind: _in_turn(dice, points) for kind, points in MOMENTS.items()}
    with tempfile.TemporaryDirectory() as place:
        broker = Broker(Path(place) / "broker").start()
        try:
            for number, (kind, in_kafka) in enumerate(itertools.cycle(HISTORIES)):
                if total.kills >= arguments.kills:
                    break
                folder = Path(place) / str(number)
                world = kind.in_kafka(folder, broker) if in_kafka else kind(folder)
                total.add(history(world, *_plan(dice, world, moments[kind]), dice.randrange(10**6)))
                print(
                    f"{kind.__name__.lower()} in {'kafka' if in_kafka else 'the archive'}: {world.report}", flush=True
                )
        finally:
            broker.stop()
    print(total)
    sys.exit(bool(total.lost or total.doubled))


def _in_turn(dice: random.Random, moments: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Each once, in a random order, and again."""
    while True:
        yield from dice.sample(moments, len(moments))


def _plan(
    dice: random.Random, world: World, moments: Iterator[tuple[str, str]]
) -> tuple[list[tuple[str, str]], dict[int, Callable[[], None]]]:
    """Where to die, and what becomes of the checkpoints meanwhile."""
    anytime = [(dice.choice(world.names), f"random:{dice.uniform(0, 8):.2f}") for _ in range(KILLS // 2)]
    kills = [*anytime, *itertools.islice(moments, KILLS - len(anytime))]
    dice.shuffle(kills)
    later = {dice.randrange(2, KILLS): dice.choice([world.lose, world.truncate, world.restore])}
    return kills, {1: world.keep_copy} | later


if __name__ == "__main__":
    main()
