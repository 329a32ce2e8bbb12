"""The peer's side of the join: Flink SQL's interval join."""

from questions.flink_table import answer

RECORD = "`user` STRING, id BIGINT, ts BIGINT"
JOINED = """
SELECT s.id, c.id FROM searches s LEFT JOIN clicks c ON s.`user` = c.`user`
AND c.event_time BETWEEN s.event_time AND s.event_time + INTERVAL '10' MINUTE
"""

if __name__ == "__main__":
    answer({"searches": RECORD, "clicks": RECORD}, "id BIGINT, click_id BIGINT", JOINED)
