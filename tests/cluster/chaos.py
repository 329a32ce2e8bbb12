"""Kills jobs as often as asked, at commits and at any moment, over both homes of the log: make chaos N=100 SEED=7.

Prints the seed, a line for each history, and the report. Exit code 1 if a table is not that of the log.
"""

import argparse
import random
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.cluster.broker import Broker
from tests.cluster.keeping import make
from tests.cluster.kills import POINTS, Report, World, history
from tests.jobs.keeping import readings

KILLS = 10
"""In one history."""


def main() -> None:
    """Run histories until there were so many kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    dice, total = random.Random(arguments.seed), Report()
    with tempfile.TemporaryDirectory() as place:
        broker = Broker(Path(place) / "broker").start()
        try:
            for number in range(1_000_000):
                if total.kills >= arguments.kills:
                    break
                world = World(Path(place) / str(number), broker.servers if number % 2 else None)
                if number % 2:
                    make(broker, readings.TOPIC.TOPIC, readings.PARTITIONS)
                total.add(history(world, *_plan(dice, world), dice.randrange(10**6)))
                if number % 2:
                    next(iter(broker.admin().delete_topics([readings.TOPIC.TOPIC]).values())).result()
                print(f"{'kafka' if number % 2 else 'archive'}: {world.report}", flush=True)
        finally:
            broker.stop()
    print(total)
    sys.exit(bool(total.lost or total.doubled))


def _plan(dice: random.Random, world: World) -> tuple[list[tuple[str, str]], dict[int, Callable[[], None]]]:
    """Where to die, and what becomes of the checkpoints meanwhile."""
    anytime = [(dice.choice(["panes", "seen"]), f"random:{dice.uniform(0, 8):.2f}") for _ in range(KILLS // 2)]
    kills = [*anytime, *(dice.choice(POINTS) for _ in range(KILLS - len(anytime)))]
    dice.shuffle(kills)
    later = {dice.randrange(3, KILLS): dice.choice([world.lose, world.truncate, world.restore]) for _ in range(2)}
    return kills, {2: world.keep_copy} | later


if __name__ == "__main__":
    main()
