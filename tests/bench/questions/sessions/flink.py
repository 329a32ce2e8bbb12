"""The peer's side of the sessions: Flink SQL's SESSION windows."""

from questions.flink_table import answer

RECORD = "`user` STRING, id BIGINT, ts BIGINT, failed BOOLEAN"
SESSION = "`user` STRING, window_start TIMESTAMP(3), window_end TIMESTAMP(3), events BIGINT, failures BIGINT"
SESSIONS = """
SELECT `user`, window_start, window_end, COUNT(*), COUNT(*) FILTER (WHERE failed) FROM TABLE(
    SESSION(TABLE logins PARTITION BY `user`, DESCRIPTOR(event_time), INTERVAL '04:59.999' MINUTE TO SECOND)
) GROUP BY `user`, window_start, window_end
"""

if __name__ == "__main__":
    answer({"logins": RECORD}, SESSION, SESSIONS)
