"""The peer: Flink SQL's interval join, to Parquet files."""

import argparse

from flink_sql import settings
from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

EVENTS = """
CREATE TABLE `{name}` (
    `user` STRING, id BIGINT, ts BIGINT, event_time AS TO_TIMESTAMP_LTZ(ts, 3),
    WATERMARK FOR event_time AS event_time - INTERVAL '30' SECOND
) WITH (
    'connector' = 'kafka', 'topic' = '{topic}', 'properties.bootstrap.servers' = '{servers}',
    'properties.group.id' = 'flink', 'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
    'format' = 'json'
)
"""
SINK = """
CREATE TABLE joined (id BIGINT, click_id BIGINT) WITH (
    'connector' = 'filesystem', 'path' = 'file://{out}/joined', 'format' = 'parquet', 'parquet.compression' = 'SNAPPY'
)
"""
JOIN = """
INSERT INTO joined SELECT s.id, c.id FROM searches s LEFT JOIN clicks c ON s.`user` = c.`user`
AND c.event_time BETWEEN s.event_time AND s.event_time + INTERVAL '10' MINUTE
"""


def main() -> None:
    """Join to the end of both topics."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--topics", nargs=2, required=True)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--jars", nargs="+", required=True)
    args = parser.parse_args()
    configuration = Configuration()
    for name, value in settings(args).items():
        configuration.set_string(name, value)
    environment = EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(configuration).build()
    tables = TableEnvironment.create(environment)
    for name, topic in zip(("searches", "clicks"), args.topics, strict=True):
        tables.execute_sql(EVENTS.format(name=name, topic=topic, servers=args.servers))
    tables.execute_sql(SINK.format(out=args.out))
    tables.execute_sql(JOIN).wait()


if __name__ == "__main__":
    main()
