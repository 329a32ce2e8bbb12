"""Rows of feeds that are delivered and old are removed."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from jobs.answers.result import Result
from jobs.publishing.feed import Feed
from jobs.running import durations
from jobs.running.instants import sql_literal
from jobs.running.places import Places


def remove(places: Places, result: Result, delivered: Mapping[str, int], now: datetime) -> None:
    """Remove from each feed what all of its deliveries have sent, and is older than `feed_for`. `delivered`: by
    delivery, the ledger row up to which it has sent everything.
    """
    oldest = sql_literal(now - timedelta(seconds=durations.seconds(result.feed_for)))
    for answer in result.answer_keys if result.deliver else ():
        sent = [delivered.get(each.label, 0) for each in result.deliver if each.answer == answer]
        # A feed that nobody is sent is for those who read the table.
        Feed(places.table(result.feed_table(answer))).remove(min(sent, default=None), oldest)
