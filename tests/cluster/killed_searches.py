"""Outcomes and sessions over searches and clicks, each delivered into a topic, whose process is killed."""

from typing import Any, ClassVar

from tests.cluster.keeping import committed
from tests.cluster.killed_job import OUTCOMES, SESSIONS
from tests.cluster.kills import World
from tests.jobs.keeping import feeds, searches, searches_by_hand
from tests.jobs.keeping.searches import Visit

WRITTEN = {"clicked": ("stragglers", "events", "events#2"), "sessions": ("stragglers", "spells")}
"""The commits of a batch of each result: events are of two topics."""
PUBLISHED = ("publish", "feed", "ledger#2", "delivery", "ledger#3")
"""The steps after its ledger row: the last one says what is delivered."""
KEPT_UP = ("delete", "delete#2", "compact", "compact#2", "vacuum", "vacuum#2")
"""What housekeeping does to tables after each second ledger row: events that no answer needs, and what is delivered,
are removed, small files are put together, and those that were replaced are removed.
"""
POINTS = [
    *(
        (first, f"{when} {step}")
        for first, steps in WRITTEN.items()
        for step in (*steps, "ledger", *PUBLISHED, *KEPT_UP)
        for when in ("before", "after")
    ),
    *(("sessions", f"commit:sessions_v1{table}") for table in ("", "_spells")),  # two commits of one publish
    *((first, f"file:{kind}") for first in WRITTEN for kind in ("offsets", "commits")),
]
"""Every moment that can be named: the result that runs first, and where it dies."""


class Searches(World):
    """The log of searches and clicks."""

    names = ("clicked", "sessions")
    topics: ClassVar = dict.fromkeys(searches.COLUMNS, searches.PARTITIONS)
    delivered = (OUTCOMES, SESSIONS)
    most_behind: ClassVar = searches.MOST_BEHIND
    uncommitted = (
        *("before ledger", "before ledger#2", "before events#2"),
        *(f"after {step}" for step in (*WRITTEN["clicked"], "spells", "publish", "feed")),
    )

    def log(self, kills: int, seed: int) -> list[Visit]:
        return searches.log(seed, 40 * (kills + 1), self.most_behind)

    def write(self, visits: list[Visit]) -> None:
        for topic in searches.COLUMNS:
            if some := [visit for visit in visits if visit.topic == topic]:
                self.append(topic, searches.batch(topic, some))
        self.written += visits

    def topic_of(self, record: Visit) -> str:
        return record.topic

    def compare(self) -> None:
        clicked, sessions = self.side("clicked"), self.side("sessions")
        found = {
            tuple(row[name] for name in feeds.PLACE): (row["outcome"], row["clicks_time"]) for row in clicked.rows()
        }
        assert found == searches_by_hand.clicked(self.written)
        expected = searches_by_hand.sessions(sessions.written)
        assert searches.by_key([{name: row[name] for name in expected[0]} for row in sessions.rows()]) == expected
        self._compare_topic("clicked", OUTCOMES, feeds.PLACE)
        self._compare_topic("sessions", SESSIONS, ("user", "session_start"))

    def _compare_topic(self, name: str, topic: str, key: tuple[str, ...]) -> None:
        """The feed leads to the table, and the topic has each change of it once and leads there, too."""
        side, records = self.side(name), self._records(topic)
        feed = feeds.check_feed(side, names=key)
        found, due = feeds.sent(records, key), feeds.due(feed, key)
        self.report.compare(found, due)
        assert found == due, (topic, due - found, found - due)
        feeds.check_latest(records, side.rows(), key)

    def _records(self, topic: str) -> list[dict[str, Any]]:
        """What a reader gets."""
        if not self.places.kafka:
            return feeds.records(self, topic)
        return [
            {
                "key": one.key(),
                "value": one.value(),
                "headers": [{"key": name, "value": value} for name, value in one.headers()],
            }
            for one in committed(self.places.kafka.servers, topic)
        ]
