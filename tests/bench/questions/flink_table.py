"""What the Flink sides of all questions share: topics of Kafka in, Parquet files out, to the end of the topics.

Started with the Python of Flink's own environment (flink_install.py), never with headrace's.
"""

import argparse
from collections.abc import Mapping, Sequence

from flink_sql import FROM_KAFKA, table_environment

EVENTS = """
CREATE TABLE `{topic}` (
    {columns}, event_time AS TO_TIMESTAMP_LTZ(ts, 3),
    WATERMARK FOR event_time AS event_time - INTERVAL '30' SECOND
)"""
ANSWER = """
CREATE TABLE answer ({columns}) WITH (
    'connector' = 'filesystem', 'path' = 'file://{out}/answer', 'format' = 'parquet',
    'parquet.write.int64.timestamp' = 'true', 'parquet.utc-timezone' = 'true', 'parquet.compression' = 'SNAPPY'
)
"""


def answer(topics: Mapping[str, str], columns: str, query: str, views: Sequence[str] = ()) -> None:
    """Answer the query with the options of the command line; `topics`: the columns of each, `columns`: the answer's,
    `views`: statements that make views of the topics.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--jars", nargs="+", required=True)
    args = parser.parse_args()
    tables = table_environment(args)
    for topic, fields in topics.items():
        tables.execute_sql((EVENTS + FROM_KAFKA).format(topic=topic, columns=fields, servers=args.servers))
    for statement in views:
        tables.execute_sql(statement)
    tables.execute_sql(ANSWER.format(columns=columns, out=args.out))
    tables.execute_sql(f"INSERT INTO answer {query}").wait()
