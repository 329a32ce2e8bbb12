"""The join: every click of a user within ten minutes of a search, or none.

    {"user": "u17", "id": 42, "ts": 1767225600000}

Three of ten events are clicks. Spark leaves out the last searches without a click.
"""

from collections.abc import Iterator

import pyarrow as pa
from questions import event_log
from questions.question import Question

SEED = 20260102
SHARE_OF_CLICKS = 0.3
SEARCHES, CLICKS = "searches", "clicks"


def batches(topic: str, records: int) -> Iterator[pa.RecordBatch]:
    """The records of one topic, in the order in which they came; `records`: of both."""
    for index in event_log.chunks(records):
        events = event_log.draw(index, records, SEED, SHARE_OF_CLICKS)
        yield event_log.to_records(events).filter(pa.array(events.is_marked == (topic == CLICKS)))


PAIRS = "select id, click_id from found"
QUESTION = Question(
    topics=(SEARCHES, CLICKS),
    batches=batches,
    right="""
        select s.id as id, c.id as click_id from searches s
        left join clicks c on s.user = c.user and c.ts between s.ts and s.ts + 600_000
    """,
    table="joined_v1",
    read={"headrace": PAIRS, "spark": PAIRS, "flink": PAIRS},
)
