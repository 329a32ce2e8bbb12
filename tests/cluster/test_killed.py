"""Jobs whose processes are killed: in the end their tables are those of the log.

Here are the few moments that differ most; `make chaos` kills at every one that can be named, as often as one likes.
"""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from tests.cluster.broker import Broker
from tests.cluster.killed_readings import Readings
from tests.cluster.killed_searches import Searches
from tests.cluster.kills import history
from tests.jobs.keeping.searches import NOT_TOO_LATE

HISTORIES = {
    "archive": ([("panes", "after panes"), ("seen", "after rows"), ("panes", "random:2.71")], {1: "lose"}),
    "kafka": ([("panes", "before ledger#2"), ("seen", "file:offsets"), ("seen", "before ledger")], {1: "truncate"}),
}
"""The kills, and what is done to checkpoints after one of them: a batch that only its table knows, a publish that only
its table knows, a batch that only Spark knows, and a moment that nobody chose.
"""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", ["kafka", pytest.param("archive", marks=pytest.mark.long)])
def test_a_process_that_is_killed_at_any_commit_and_at_any_moment_loses_and_doubles_nothing(
    name: str, tmp_path: Path, own_broker: Broker, record_property: Callable[[str, object], None]
) -> None:
    kills, spoil = HISTORIES[name]
    world = Readings.in_kafka(tmp_path / "world", own_broker) if name == "kafka" else Readings(tmp_path / "world")
    report = history(world, kills, {after: getattr(world, what) for after, what in spoil.items()}, len(name))
    record_property("report", f"{name}: {report}")
    assert report.kills == len(kills)
    assert (report.lost, report.doubled) == (0, 0)


class InTime(Searches):
    """No visit is too late."""

    most_behind: ClassVar = NOT_TOO_LATE


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_process_that_is_killed_in_a_publish_or_a_delivery_sends_each_change_once(
    tmp_path: Path, own_broker: Broker
) -> None:
    """Into a topic of Kafka: the ledger knows of the publish and not of the transaction, and the other way round."""
    kills = [("clicked", "after feed"), ("clicked", "after delivery")]
    report = history(InTime.in_kafka(tmp_path / "world", own_broker), kills, {}, 5)
    assert report.kills == len(kills)
    assert (report.lost, report.doubled) == (0, 0)
