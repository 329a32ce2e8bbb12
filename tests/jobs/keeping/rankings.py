"""Rankings of the windows of readings, and what Python's sort makes of windows that are worked out in plain Python."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from jobs.answers.top import Top
from jobs.answers.windows import Windows
from jobs.facts.panes import Panes
from tests.jobs.keeping import readings
from tests.jobs.keeping.readings import PANES
from tests.jobs.keeping.world import World

BY = ("site", "device")
COUNTED = Windows(Panes("30 minutes", BY, averages=("reading",)), *PANES.windows)
BUSIEST = Top(2, item="device", by="records", each=("site",))
HIGHEST = Top(1, item="device", by="reading_mean", each=("site",)).named("highest")
RANKED = replace(PANES, name="ranked_v1", answers=(COUNTED, BUSIEST, HIGHEST))
KEY = ("window_kind", "window_start", *BY)


def expected(world: World, ranking: Top) -> dict[tuple[Any, ...], tuple[int, Any]]:
    """{(window, start, site, device): (rank, value)}, by a sort of each window's devices."""
    groups, kinds = defaultdict(list), {each.name for each in world.result.windows}
    for (window, start, _, site, device), facts in readings.windows(world.written, BY).items():
        if window not in kinds:
            continue
        value = facts["reading"][0] if ranking is HIGHEST else facts["records"]
        if value is not None:
            groups[window, start, site].append((-value, device))
    ranks = {}
    for group, items in groups.items():
        for rank, (value, device) in enumerate(sorted(items)[: ranking.n], 1):
            ranks[*group, device] = (rank, -value)
    return ranks


def check(world: World) -> None:
    for ranking in (BUSIEST, HIGHEST):
        rows = world.rows(f"_{ranking.name}")
        found = {tuple(row[name] for name in KEY): (row["rank"], row[ranking.by]) for row in rows}
        assert len(found) == len(rows)
        right = expected(world, ranking)
        assert {key: rank for key, (rank, _) in found.items()} == {key: rank for key, (rank, _) in right.items()}
        assert all(value == pytest.approx(right[key][1], rel=1e-9) for key, (_, value) in found.items())
        finals = {(row["window_kind"], row["window_start"]): row["final"] for row in world.rows()}
        assert all(row["final"] == finals[row["window_kind"], row["window_start"]] for row in rows)
        assert all(row["due_time"] == row["window_end"] for row in rows)
