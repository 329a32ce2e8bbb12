"""Tables of follows and posts that tell their changes as Debezium does, and a result with views over them."""

import json
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import LongType, StructField, StructType

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.views.view import View
from jobs.events.changes import debezium
from jobs.log.archive import writer
from jobs.run import Places

FOLLOWS = SimpleNamespace(
    TOPIC="net.public.follows",
    COLUMNS=StructType([StructField("follower", LongType(), False), StructField("followee", LongType(), False)]),
)
POSTS = SimpleNamespace(
    TOPIC="net.public.posts",
    COLUMNS=StructType([StructField("id", LongType(), False), StructField("author", LongType())]),
)
NEWEST = 3
PARTITIONS = 2
TIMELINE = View(
    key=("follower", "post"),
    by=("follower",),
    sql=f"""
        select f.follower, p.id as post, row_number() over (partition by f.follower order by p.id desc) as rank
        from follows f join posts p on p.author = f.followee
        qualify rank <= {NEWEST}  -- a post that goes away makes room for an older one
    """,
)
AUTHORS = View(
    key=("post",),
    by=("author",),
    sql="""
        select p.id as post, p.author, count(f.follower) as followers, sum(f.follower)::bigint as total
        from posts p left join follows f on f.followee = p.author group by all
    """,
    touched={"posts": "select author from changed", "follows": "select followee from changed"},
).named("authors")
MOST_FOLLOWERS = 2
LIMITED = replace(TIMELINE, limit={"follows": ("followee", MOST_FOLLOWERS)}).named("limited")
"""Without the posts of those whom more follow."""
SIZES = View("select 'follows' as what, count(*) as n from follows union all select 'posts', count(*) from posts",
             key=("what",)).named("sizes")  # fmt: skip


def columns(events: DataFrame) -> DataFrame:
    """All of them."""
    return events


READS = (Reads(FOLLOWS, columns, form=debezium.CHANGES), Reads(POSTS, columns, form=debezium.CHANGES))
ANSWERS = (
    Latest(key=("follower", "followee"), topic=FOLLOWS.TOPIC).named("follows"),
    Latest(key=("id",), topic=POSTS.TOPIC).named("posts"),
    *(TIMELINE, AUTHORS, LIMITED, SIZES),
)
RESULT = Result("timeline_v1", READS, ANSWERS)
Message = tuple[str, dict[str, int] | None, dict[str, Any]]
"""Topic, key and envelope of a record."""


class Database:
    """The tables as they are, and what they have told."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)
        self.follows: set[tuple[int, int]] = set()
        self.posts: dict[int, int | None] = {}
        self.told: list[Message] = []
        self._commit: int | None = None
        self._lsn = 1000

    def change(self) -> None:
        """Some statement."""
        self._lsn += 100
        follow = (self.dice.randint(1, 4), self.dice.randint(11, 14))
        author = self.dice.choice([11, 12, 13, 14, None])
        what = self.dice.choices(["post", "delete", "author", "follow", "truncate"], [40, 15, 10, 40, 1])[0]
        if what == "follow":
            is_new = follow not in self.follows
            (self.follows.add if is_new else self.follows.discard)(follow)
            row = {"follower": follow[0], "followee": follow[1]}
            self._tell(FOLLOWS.TOPIC, "c" if is_new else "d", row, row)
        elif what == "post" or not self.posts:
            post = self._lsn
            self.posts[post] = author
            self._tell(POSTS.TOPIC, "c", {"id": post}, {"id": post, "author": author})
        elif what == "truncate":
            self.posts = {}
            self._tell(POSTS.TOPIC, "t", None, None)
        else:
            post = self.dice.choice(sorted(self.posts))
            old = self.posts.pop(post)
            if what == "author":
                self.posts[post] = author
            new: dict[str, int | None] = {"id": post, "author": old if what == "delete" else author}
            self._tell(POSTS.TOPIC, "d" if what == "delete" else "u", {"id": post}, new)
        self._commit = self._lsn

    def _tell(self, topic: str, op: str, key: dict[str, int] | None, row: dict[str, Any] | None) -> None:
        sequence = json.dumps([None if self._commit is None else str(self._commit), str(self._lsn - 5)])
        source = {"name": "net", "sequence": sequence, "ts_ms": 1_714_500_000_000 + self._lsn, "snapshot": "false"}
        rows = {"before": row if op == "d" else None, "after": None if op == "d" else row}
        self.told.append((topic, key, {**rows, "source": source, "op": op, "transaction": None}))

    def timeline(self, most_followers: int = 4) -> dict[tuple[int, int], int]:
        """By follower and post, the rank of the newest posts of those whom each follows, and no more than so many."""
        found = dict[tuple[int, int], int]()
        counts = Counter(followee for _, followee in self.follows)
        for follower in {one for one, _ in self.follows}:
            followees = {followee for one, followee in self.follows if one == follower}
            authors = {followee for followee in followees if counts[followee] <= most_followers}
            posts = sorted((post for post, author in self.posts.items() if author in authors), reverse=True)
            found |= {(follower, post): rank for rank, post in enumerate(posts[:NEWEST], 1)}
        return found

    def authors(self) -> dict[int, tuple[int | None, int, int | None]]:
        """By post its author, how many follow them, and the sum of the numbers of these."""
        found = {}
        for post, author in self.posts.items():
            followers = [one for one, followee in self.follows if followee == author]
            found[post] = (author, len(followers), sum(followers) if followers else None)
        return found


def append(places: Places, messages: list[Message]) -> None:
    """Write these into the topics, spread over their partitions by their keys."""
    for topic in (FOLLOWS.TOPIC, POSTS.TOPIC):
        of_topic = [(key, value) for name, key, value in messages if name == topic]
        keys = [None if key is None else json.dumps(key).encode() for key, _ in of_topic]
        values = [json.dumps(value).encode() for _, value in of_topic]
        times = pa.array([1_714_500_000_000_000] * len(keys), pa.timestamp("us", "UTC"))
        records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
        writer.append(places.archive, topic, PARTITIONS, [pa.record_batch(records)])
