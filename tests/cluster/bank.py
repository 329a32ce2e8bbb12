"""A table of accounts with a column of each kind, its job file, and a log from which changes can be taken out."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
from confluent_kafka import Consumer, TopicPartition

from jobs.log.archive import writer
from tests.cluster.broker import Broker

CREATE = """
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE accounts (
    id int, part varchar(10), whole bigint, small smallint, exact numeric(12,4), any_scale numeric, half real,
    fraction double precision, flag boolean, day date, seconds timestamp(0), at timestamp, zoned timestamptz,
    clock time, bytes bytea, numbers int[], words text[], uuid uuid, data jsonb, padded char(6), address inet,
    feeling mood, body text, span interval, PRIMARY KEY (id, part)
)
"""
ROWS = """
INSERT INTO accounts SELECT number, 'p' || number % 3, number * 4611686018427387::bigint, number, number * 1234.5678,
    number / 8.0, number * 0.1, number * 0.1, number % 2 = 0, date '1969-12-28' + number,
    timestamp '1969-12-31 23:59:50' + number * interval '1 second', timestamp '1969-12-31 23:59:59.999999' +
    number * interval '1 microsecond', timestamptz '2024-03-31 01:59:59.5+01' + number * interval '1 hour',
    time '23:59:59.999999', decode(md5(number::text), 'hex'), array[number, null, -number],
    array['a,"b"', null, '{ü}'], md5(number::text)::uuid, '{"b": [1, 2.50], "a": null}', 'x', '10.0.0.1', 'cross',
    E'two\\nlines, "quoted" \\\\ \\t', interval '1 day' FROM generate_series(0, 40) AS number;
INSERT INTO accounts (id, part) VALUES (900, ''), (901, '"');
INSERT INTO accounts (id, part, body, exact, fraction, numbers) VALUES (902, 'e', '', 0, '-0', '{}')
"""
EACH_A_LITTLE = r"""
UPDATE accounts SET whole = whole + 1, small = small + 1, exact = exact + 0.0001, any_scale = any_scale + 0.0001,
    half = half + 0.1, fraction = fraction + 1e-15, flag = NOT flag, day = day + 1,
    seconds = seconds + interval '1 second', at = at + interval '1 microsecond',
    zoned = zoned + interval '1 microsecond', clock = clock - interval '1 microsecond',
    bytes = bytes || '\x00', numbers[2] = 0, words[2] = '', uuid = gen_random_uuid(), data = data || '{"a": ""}',
    padded = ' x', address = '10.0.0.1/8', feeling = 'calm', body = body || ' ' WHERE id = 10
"""
"""Of one row, each column that is compared."""
JOB = '''"""What does each account look like now?"""

from types import SimpleNamespace

from pyspark.sql.types import (
    ArrayType, BinaryType, BooleanType, DateType, DecimalType, DoubleType, FloatType, IntegerType, LongType, StringType,
    StructField, StructType, TimestampType,
)

from jobs import keeping
from jobs.answers.latest import Latest
from jobs.answers.result import Reads, Result
from jobs.events.changes import debezium
from jobs.run import Run, start

SECONDS = {"debezium": "io.debezium.time.Timestamp"}
MICROS = {"debezium": "io.debezium.time.MicroTimestamp"}
KINDS = {
    "whole": LongType(), "small": IntegerType(), "exact": DecimalType(12, 4), "any_scale": DecimalType(38, 10),
    "half": DoubleType(), "fraction": DoubleType(), "flag": BooleanType(), "day": DateType(),
    "seconds": TimestampType(), "at": TimestampType(), "zoned": TimestampType(), "clock": LongType(),
    "bytes": BinaryType(), "numbers": ArrayType(LongType()), "words": ArrayType(StringType()), "uuid": StringType(),
    "data": StringType(), "padded": StringType(), "address": StringType(), "feeling": StringType(),
    "body": StringType(), "span": LongType(),
}
ACCOUNT = SimpleNamespace(
    TOPIC="TOPIC_NAME",
    COLUMNS=StructType(
        [
            StructField("id", LongType(), False),
            StructField("part", StringType(), False),
            *(
                StructField(name, kind, True, SECONDS if name == "seconds" else MICROS if name == "at" else {})
                for name, kind in KINDS.items()
            ),
        ]
    ),
)


def columns(changes):
    return changes


RESULT = Result("RESULT_NAME", Reads(ACCOUNT, columns, form=debezium.CHANGES), Latest(key=("id", "part")))


def main(run: Run) -> None:
    keeping.keep(run, RESULT)


if __name__ == "__main__":
    start(main)
'''

Message = tuple[bytes | None, bytes | None, int]
"""Key, value and time in milliseconds."""


def job_file(folder: Path, topic: str, name: str) -> Path:
    """A job that keeps the result `name` of the accounts in a topic."""
    path = folder / f"{name}_job.py"
    path.write_text(JOB.replace("TOPIC_NAME", topic).replace("RESULT_NAME", name))
    return path


def read_up_to(broker: Broker, topic: str, is_last: Callable[[Any], bool]) -> list[Message]:
    """The records of a topic of one partition, up to the first whose envelope `is_last`, which may still have to
    come.
    """
    consumer = Consumer({"bootstrap.servers": broker.servers, "group.id": "look", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: list[Message] = []
    until = time.monotonic() + 60
    while not (found and found[-1][1] is not None and is_last(json.loads(found[-1][1]))):
        assert time.monotonic() < until, len(found)
        message = consumer.poll(0.2)
        if message is not None and message.error() is None:
            found.append((message.key(), message.value(), message.timestamp()[1]))
    consumer.close()
    return found


def copy_into_archive(archive: str, topic: str, messages: list[Message]) -> None:
    """Append these to an archive, in one partition."""
    keys, values, millis = zip(*messages, strict=True)
    times = pa.array([one * 1000 for one in millis], pa.timestamp("us", "UTC"))
    records = {"key": pa.array(keys, pa.binary()), "value": pa.array(values, pa.binary()), "timestamp": times}
    writer.append(archive, topic, 1, [pa.record_batch(records)])
