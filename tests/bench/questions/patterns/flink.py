"""The peer's side of the pattern: Flink SQL's MATCH_RECOGNIZE.

A match begins with the first failure that is near enough, and ends with the login, so no two of them overlap. Events of
a user at the same time stay in the order in which they were read, that of their offsets.
"""

from questions.flink_table import answer

RECORD = "`user` STRING, id BIGINT, ts BIGINT, failed BOOLEAN"
GUESSED = """
SELECT id, failures, first_ms FROM logins MATCH_RECOGNIZE (
    PARTITION BY `user` ORDER BY event_time
    MEASURES L.id AS id, COUNT(F.id) AS failures, FIRST(F.ts) AS first_ms
    ONE ROW PER MATCH AFTER MATCH SKIP PAST LAST ROW
    PATTERN (F{3,} L) WITHIN INTERVAL '10:00.001' MINUTE TO SECOND
    DEFINE F AS F.failed, L AS NOT L.failed
)
"""

if __name__ == "__main__":
    answer({"logins": RECORD}, "id BIGINT, failures BIGINT, first_ms BIGINT", GUESSED)
