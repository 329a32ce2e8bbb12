"""Flink SQL as a contender: the three results from the topic in Kafka, in one job, each into a folder of Parquet files.

Started with the Python of Flink's own environment (flink_install.py), never with headrace's. It reads from the first
record to the last one that is there when it starts; then every window is closed. State is on the heap, a checkpoint
comes every 5 seconds, exactly once; what comes out is committed with it. Distinct users are counted exactly.
"""

import argparse

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

EVENTS = """
CREATE TABLE events (
    `user` STRING, page STRING, ms DOUBLE, ts BIGINT,
    event_time AS TO_TIMESTAMP_LTZ(ts, 3), came AS PROCTIME(),
    WATERMARK FOR event_time AS event_time - INTERVAL '30' SECOND
)"""

FROM_KAFKA = """ WITH (
    'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
    'properties.group.id' = 'flink', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
    'format' = 'json'
)"""
"""From the first record of a topic to the last one that is there."""

NEW_USERS = """
CREATE VIEW new_users AS SELECT event_time, `user` FROM (
    SELECT event_time, `user`, ROW_NUMBER() OVER (PARTITION BY `user` ORDER BY came ASC) AS place FROM events
) WHERE place = 1
"""
"""All records of a user are in one partition, so the one that comes first has the lowest offset."""

SINK = """
CREATE TABLE `{name}` ({columns}) WITH (
    'connector' = 'filesystem', 'path' = 'file://{out}/{name}', 'format' = 'parquet',
    'parquet.write.int64.timestamp' = 'true', 'parquet.compression' = 'SNAPPY'
)
"""

RESULTS = {
    "hopping": (
        "page STRING, window_start TIMESTAMP(3), `count` BIGINT, `mean` DOUBLE",
        "SELECT page, window_start, COUNT(*), AVG(ms) FROM "
        "TABLE(HOP(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE, INTERVAL '10' MINUTES)) "
        "GROUP BY window_start, window_end, page",
    ),
    "distinct": (
        "page STRING, `minute` TIMESTAMP(3), `estimate` DOUBLE",
        "SELECT page, window_start, CAST(COUNT(DISTINCT `user`) AS DOUBLE) FROM "
        "TABLE(TUMBLE(TABLE events, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) "
        "GROUP BY window_start, window_end, page",
    ),
    "first_seen": (
        "`minute` TIMESTAMP(3), `count` BIGINT",
        "SELECT window_start, COUNT(*) FROM "
        "TABLE(TUMBLE(TABLE new_users, DESCRIPTOR(event_time), INTERVAL '1' MINUTE)) GROUP BY window_start, window_end",
    ),
}
"""By name: the columns, and the query."""


def settings(args: argparse.Namespace) -> dict[str, str]:
    """Flink's options."""
    return {
        "pipeline.jars": ";".join(f"file://{jar}" for jar in args.jars),
        "pipeline.object-reuse": "true",
        "parallelism.default": str(args.cores),
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "5 s",
        "execution.checkpointing.mode": "EXACTLY_ONCE",
        "execution.checkpointing.dir": f"file://{args.out}/checkpoints",
        "taskmanager.memory.managed.size": "1g",
        "taskmanager.memory.network.max": "256m",
        "table.local-time-zone": "UTC",
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "1 s",
        "table.exec.mini-batch.size": "20000",
        "restart-strategy.type": "none",
    }


def table_environment(args: argparse.Namespace) -> TableEnvironment:
    """Flink's SQL with these options."""
    configuration = Configuration()
    for name, value in settings(args).items():
        configuration.set_string(name, value)
    environment = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    return TableEnvironment.create(environment)


def main() -> None:
    """Run the three queries as one job, to the end."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, required=True)
    parser.add_argument("--jars", nargs="+", required=True)
    args = parser.parse_args()
    tables = table_environment(args)
    tables.execute_sql((EVENTS + FROM_KAFKA).format(topic=args.topic, servers=args.servers))
    tables.execute_sql(NEW_USERS)
    job = tables.create_statement_set()
    for name, (columns, query) in RESULTS.items():
        tables.execute_sql(SINK.format(name=name, columns=columns, out=args.out))
        job.add_insert_sql(f"INSERT INTO `{name}` {query}")
    job.execute().wait()


if __name__ == "__main__":
    main()
