"""What it costs to keep a timeline up to date: the twenty newest posts of those whom each user follows.

100,000 users, 759,058 follows (some users are followed by nearly all), 300,000 posts. Tables of latest rows and of the
view are Delta tables on disk. Then 1,000 changes come: posts, deletions, follows and unfollows; then one post of the
most followed, and one of somebody whom 92,000 follow. Each publish of a view is measured in CPU-seconds of this
process: kept up to date, computed as a whole (the tables must be equal), without ranks, and with a limit of followers.

python tests/bench/view_timeline.py --scale 1
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.types import LongType, StructField, StructType, TimestampType

from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.answers.views.view import View
from jobs.events import fast_decoder
from jobs.events.changes import debezium
from jobs.keeping import result_tables
from jobs.keeping.steps import Step
from jobs.lake import commits, delta_tables, table_queries
from jobs.publishing import event_difference, row_writing, view_publication, view_reader
from jobs.publishing.event_difference import CHANGE, NEW, WITHDRAWN
from jobs.running.places import Places

USERS, FOLLOWS_COUNT, POSTS_COUNT, NEWEST = 100_000, 759_058, 300_000, 20
MANY = 92_000
"""Followers of the one more."""
Columns = dict[str, np.ndarray]
START_MICROS = 1_714_500_000_000_000
FOLLOWS = SimpleNamespace(
    TOPIC="follows_changes",
    COLUMNS=StructType([StructField("follower", LongType(), False), StructField("followee", LongType(), False)]),
)
POSTS = SimpleNamespace(
    TOPIC="posts_changes",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("author", LongType()),
            StructField("posted", TimestampType()),
        ]
    ),
)
TIMELINE = View(
    key=("follower", "post"),
    by=("follower",),
    sql=f"""select f.follower, p.id as post, p.posted,
                   row_number() over (partition by f.follower order by p.posted desc, p.id desc) as rank
            from follows f join posts p on p.author = f.followee qualify rank <= {NEWEST}""",
)
WHOLE = replace(TIMELINE, by=()).named("whole")
UNRANKED = View(
    key=("follower", "post"),
    by=("follower",),
    sql=f"""select f.follower, p.id as post, p.posted from follows f join posts p on p.author = f.followee
            qualify row_number() over (partition by f.follower order by p.posted desc, p.id desc) <= {NEWEST}""",
).named("unranked")
LIMITED = replace(TIMELINE, limit={"follows": ("followee", 50_000)}).named("limited")
RESULT = Result(
    "timeline_v1",
    tuple(Reads(topic, lambda events: events, form=debezium.CHANGES) for topic in (FOLLOWS, POSTS)),
    (
        Latest(key=("follower", "followee"), topic=FOLLOWS.TOPIC).named("follows"),
        Latest(key=("id",), topic=POSTS.TOPIC).named("posts"),
        *(TIMELINE, WHOLE, UNRANKED, LIMITED),
    ),
)


@dataclass
class Load:
    """The tables, and what changes in them."""

    places: Places
    follows: np.ndarray
    """Pairs of follower and followee."""
    authors: np.ndarray
    """By post."""
    numbers: "count[int]"

    def commit(self) -> commits.Commit:
        """The next one."""
        return commits.Commit("timeline_v1", "1", next(self.numbers), Step.PUBLISH, {}, {})


def follow_pairs(rng: np.random.Generator, wanted: int, users: int) -> np.ndarray:
    """Pairs of follower and followee, each once; few followees have most followers."""
    followers = np.repeat(np.arange(users), 24)
    followees = rng.zipf(1.35, len(followers)) % users
    pairs = np.unique(np.stack([followers, followees], axis=1), axis=0)
    return rng.permutation(pairs)[:wanted]


def rows(schema: pa.Schema, columns: dict[str, np.ndarray]) -> pa.Table:
    """Latest rows with these values."""
    length = len(next(iter(columns.values())))
    arrays = [
        pa.array(columns[field.name]).cast(field.type) if field.name in columns else pa.nulls(length, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def change(load: Load, table: str, new: Columns, gone: Columns) -> tuple[pa.Table, pa.Table]:
    """Write into the table of latest rows; what has changed, and the removed rows as they were."""
    path = load.places.table(f"timeline_v1_{table}")
    schema = pa.schema(DeltaTable(path).schema().to_arrow())
    plain = pa.schema([field for field in schema if field.name not in ("revision", "updated_time")])
    added, removed = rows(plain, new), rows(plain, gone)
    changes = pa.concat_tables([part.append_column(CHANGE, pa.repeat(kind, len(part)))
                                for part, kind in ((added, NEW), (removed, WITHDRAWN))])  # fmt: skip
    had = removed.append_column("revision", pa.repeat(pa.scalar(1, pa.int32()), len(removed)))
    key = next(each.key for each in RESULT.change_answers if each.name == table)
    row_writing.merge(path, changes, had, key, load.commit())
    return changes, removed


def publish(load: Load, what: str, changes: dict[str, tuple[pa.Table, pa.Table]]) -> None:
    """Bring the views up to date, and print what it costs."""
    for view in RESULT.views:
        begun, process = time.monotonic(), time.process_time()
        differs = {name: found[0] for name, found in changes.items()}
        were = {name: found[1] for name, found in changes.items()}
        written = view_publication.update(load.places, RESULT, view, differs, were, load.commit()).changes
        cpu, wall = time.process_time() - process, time.monotonic() - begun
        how = view.name or "kept up to date"
        number = 0 if written is None else len(written)
        print(f"{what}, {how}: {cpu:.2f} CPU-s, {wall:.1f} s, {number:,} rows written", flush=True)
    tables = [table_queries.query(DeltaTable(load.places.table(RESULT.answer_table(view))), "select * from it")
              for view in (TIMELINE, WHOLE)]  # fmt: skip
    one, other = (table.drop_columns(["revision", "updated_time"]) for table in tables)
    assert not len(event_difference.compare(one, other, TIMELINE.key)), "the views differ"


def measured(what: str, work: Callable[[], tuple[pa.Table, pa.Table]]) -> tuple[pa.Table, pa.Table]:
    """What the work gives; its CPU-seconds are printed."""
    process = time.process_time()
    found = work()
    print(f"{what}: {time.process_time() - process:.2f} CPU-s", flush=True)
    return found


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", type=float, default=1.0, help="of all tables")
    scale = parser.parse_args().scale
    rng, users = np.random.default_rng(1), int(USERS * scale)
    with tempfile.TemporaryDirectory(prefix="headrace-view-bench-") as folder:
        places = Places(archive=f"{folder}/archive", tables=f"{folder}/tables", checkpoints=f"{folder}/checkpoints")
        Path(places.tables).mkdir()
        topics = [fast_decoder.event_columns(reads.topic) for reads in RESULT.all_reads]
        for table in result_tables.tables_from(RESULT, *topics):
            delta_tables.create(places.table(table.name), table.columns, table.partitioned_by, table.sentence)
        pairs = follow_pairs(rng, int((FOLLOWS_COUNT + 1000) * scale), users)
        split = int(FOLLOWS_COUNT * scale)
        load = Load(places, pairs[:split], rng.integers(0, users, int(POSTS_COUNT * scale)), count(2))
        posts = np.arange(len(load.authors))
        nobody = {"follower": posts[:0], "followee": posts[:0]}
        none = {"id": posts[:0], "author": posts[:0], "posted": posts[:0]}

        def some_posts(ids: np.ndarray, authors: np.ndarray) -> dict[str, np.ndarray]:
            return {"id": ids, "author": authors, "posted": START_MICROS + ids * 1_000_000}

        def some_follows(found: np.ndarray) -> dict[str, np.ndarray]:
            return {"follower": found[:, 0], "followee": found[:, 1]}

        first = {"follows": change(load, "follows", some_follows(load.follows), nobody),
                 "posts": change(load, "posts", some_posts(posts, load.authors), none)}  # fmt: skip
        sizes = f"{len(load.follows):,} follows, {len(posts):,} posts"
        publish(load, f"first publish of {sizes}", first)

        new = np.arange(len(posts), len(posts) + 500)
        deleted = rng.choice(posts, 100, replace=False)
        more = {
            "follows": measured("latest follows, 400 changes", lambda: change(
                load, "follows", some_follows(pairs[split : split + 200]), some_follows(load.follows[:200]))),
            "posts": measured("latest posts, 600 changes", lambda: change(
                load, "posts", some_posts(new, rng.integers(0, users, 500)),
                some_posts(deleted, load.authors[deleted]))),
        }  # fmt: skip
        publish(load, "1,000 changes", more)

        followees, followers = np.unique(load.follows[:, 1], return_counts=True)
        hot = followees[[followers.argmax()]]
        post = {"posts": change(load, "posts", some_posts(new[-1:] + 1, hot), none)}
        publish(load, f"a post of one whom {followers.max():,} follow", post)

        many, star = np.arange(int(MANY * scale)), users + 1
        joined = np.stack([many, np.full(len(many), star)], axis=1)
        publish(load, f"{len(many):,} users follow one more", {"follows": change(
            load, "follows", some_follows(joined), nobody)})  # fmt: skip
        post = {"posts": change(load, "posts", some_posts(new[-1:] + 2, np.array([star])), none)}
        publish(load, f"a post of one whom {len(many):,} follow", post)
        begun = time.process_time()
        tables = view_publication.latest_tables(load.places, RESULT)
        found = view_reader.rows_over(tables, LIMITED, {"follower": 17})
        print(
            f"one timeline read with what the limit leaves out: {time.process_time() - begun:.2f} CPU-s, {len(found)}"
        )


if __name__ == "__main__":
    main()
