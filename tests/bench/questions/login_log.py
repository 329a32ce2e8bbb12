"""Records of the topic `logins`; three of four have failed.

    {"user": "u17", "id": 42, "ts": 1767225600000, "failed": true}

Event times are whole seconds, so that two events of a user are often exactly as far apart as a limit allows, and
sometimes at the same time; then the one with the lower id is the earlier.
"""

from collections.abc import Iterator

import pyarrow as pa
from questions import event_log

TOPIC = "logins"
SEED = 20260103
SHARE_OF_FAILURES = 0.75
UNIT_MS = 1000


def batches(topic: str, records: int) -> Iterator[pa.RecordBatch]:
    """The records of the topic, in the order in which they came."""
    assert topic == TOPIC
    for index in event_log.chunks(records):
        events = event_log.draw(index, records, SEED, SHARE_OF_FAILURES, UNIT_MS)
        yield event_log.to_records(events, failed=events.is_marked)
