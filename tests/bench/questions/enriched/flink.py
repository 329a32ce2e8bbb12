"""The peer's side of the enrichment: Flink SQL's temporal join with a versioned view."""

from questions.flink_table import answer

RECORD = "`user` STRING, id BIGINT, ts BIGINT"
VERSIONED = """
CREATE VIEW versioned AS SELECT `user`, id, event_time FROM (
    SELECT *, ROW_NUMBER() OVER (PARTITION BY `user` ORDER BY event_time DESC) AS place FROM versions
) WHERE place = 1
"""
ENRICHED = """
SELECT o.id, v.id FROM orders o
LEFT JOIN versioned FOR SYSTEM_TIME AS OF o.event_time AS v ON o.`user` = v.`user`
"""

if __name__ == "__main__":
    answer({"orders": RECORD, "versions": RECORD}, "number BIGINT, version BIGINT", ENRICHED, views=(VERSIONED,))
