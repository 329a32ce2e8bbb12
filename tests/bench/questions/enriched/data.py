"""Enrichment: each order of a user with the version of the user's row that was valid at its time.

    orders    {"user": "u17", "id": 42, "ts": 1767225600000}
    versions  {"user": "u17", "id": 43, "ts": 1767225601000, "valid_time": "2026-01-01T00:00:01.000Z"}

One of five records is a version: four of each user on average. Of two that are valid from the same instant the later
one counts.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from questions import event_log
from questions.question import Question

SEED = 20260104
SHARE_OF_VERSIONS = 0.2
ORDERS, VERSIONS = "orders", "versions"


def batches(topic: str, records: int) -> Iterator[pa.RecordBatch]:
    """The records of one topic, in the order in which they came; `records`: of both."""
    for index in event_log.chunks(records):
        events = event_log.draw(index, records, SEED, SHARE_OF_VERSIONS)
        texts = np.datetime_as_string(events.times.astype("datetime64[ms]"), timezone="UTC")
        fields = {"valid_time": np.char.add(np.char.add('"', texts), '"')} if topic == VERSIONS else {}
        yield event_log.to_records(events, **fields).filter(pa.array(events.is_marked == (topic == VERSIONS)))


PAIRS = "select number, version from found"
QUESTION = Question(
    topics=(ORDERS, VERSIONS),
    batches=batches,
    right="""
        with once as (select "user", ts, max(id) as id from versions group by "user", ts)
        select o.id as number, v.id as version from orders o
        asof left join once v on o."user" = v."user" and o.ts >= v.ts
    """,
    table="enriched_v1",
    read={"headrace": "select number, id as version from found", "flink": PAIRS},
)
