"""The floor and the oracle: DuckDB computes every result exactly from the archive's Parquet files.

Writes hopping.parquet, distinct.parquet and first_seen.parquet. It keeps nothing up to date and could not go on
from where it stopped: no stream processor should be cheaper, and every result is compared with these.
"""

import argparse
from pathlib import Path

import duckdb
from deltalake import DeltaTable

EVENTS = """
CREATE TEMP TABLE events AS
SELECT "offset", record.user, record.page, record.ms, record.ts, record.ts // 60000 AS minute
FROM (
    SELECT "offset", from_json(decode(value)::JSON,
        '{"user": "VARCHAR", "page": "VARCHAR", "ms": "BIGINT", "ts": "BIGINT"}') AS record
    FROM read_parquet($files, hive_partitioning = true) WHERE topic = $topic
)
"""

HOPPING = """
WITH panes AS (SELECT page, minute, count(*) AS records, sum(ms) AS total FROM events GROUP BY ALL)
SELECT page, make_timestamptz((minute - step) * 60000000) AS window_start,
    sum(records)::BIGINT AS count, sum(total)::DOUBLE / sum(records)::DOUBLE AS mean
FROM panes, range(10) AS steps(step) GROUP BY ALL
"""
"""Windows of 10 minutes, one a minute: the window that starts at S holds the minutes S .. S + 9."""

DISTINCT = """
SELECT page, make_timestamptz(minute * 60000000) AS minute, count(DISTINCT user)::DOUBLE AS estimate
FROM events GROUP BY ALL
"""

FIRST_SEEN = """
SELECT make_timestamptz(minute * 60000000) AS minute, count(*) AS count
FROM (SELECT arg_min(minute, "offset") AS minute FROM events GROUP BY user) GROUP BY ALL
"""
"""All records of a user are in one partition, so the lowest offset is the first record."""


def main() -> None:
    """Compute the three results of one archive."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", required=True)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cores", type=int, required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    with duckdb.connect(config={"threads": args.cores}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        connection.execute(EVENTS, {"files": DeltaTable(args.archive).file_uris(), "topic": args.topic})
        for name, query in (("hopping", HOPPING), ("distinct", DISTINCT), ("first_seen", FIRST_SEEN)):
            connection.execute(f"COPY ({query}) TO '{args.out / name}.parquet' (FORMAT parquet)")


if __name__ == "__main__":
    main()
