"""Records with the time of sending, so many a second into Kafka or the archive; and their times afterwards.

python tests/bench/freshness_flow.py HOME RECORDS_A_SECOND SECONDS BURST_AFTER_SECONDS BURST_RECORDS

HOME: the servers of Kafka, or a path with a slash, which is an archive.
"""

import sys
import time
from collections.abc import Iterator
from importlib import import_module

import bench_data
import numpy as np
import pyarrow as pa
from bench_input import PARTITIONS, ROOT
from confluent_kafka import Consumer, Producer, TopicPartition
from deltalake import DeltaTable, QueryBuilder

TOPIC = "page_view_now"
TICK_SECONDS = 0.02
COMMIT_SECONDS = 0.25
"""A producer of the archive waits so long between two commits."""
Record = tuple[str, str, int]
"""Key, value and timestamp in milliseconds."""


def due_records(rate: int, seconds: float, burst_after: float, burst: int, tick: float) -> Iterator[Iterator[Record]]:
    """Records with the time of sending, those of a tick at once, `rate` a second; and once a burst."""
    users, pages = bench_data.zipf(bench_data.USERS, 1.1), bench_data.zipf(bench_data.PAGES, 0.8)
    dice, begun, sent = np.random.default_rng(1), time.time(), 0
    while (passed := time.time() - begun) < seconds:
        due = int(passed * rate) - sent
        if burst and passed > burst_after:
            due, burst = due + burst, 0
            sent -= due
        drawn = zip(np.searchsorted(users, dice.random(due)), np.searchsorted(pages, dice.random(due)), strict=True)
        yield (_record(user, page) for user, page in drawn)
        sent += due
        time.sleep(tick)


def _record(user: int, page: int) -> Record:
    now = int(time.time() * 1000)
    return f"u{user}", f'{{"user":"u{user}","page":"p{page}","ms":100,"ts":{now}}}', now


def send_to_kafka(servers: str, ticks: Iterator[Iterator[Record]]) -> None:
    """Each record at its time."""
    producer = Producer(
        {"bootstrap.servers": servers, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 10**6}
    )
    for records in ticks:
        for key, value, timestamp in records:
            producer.produce(TOPIC, value, key, timestamp=timestamp)
            producer.poll(0)
    producer.flush()


def send_to_archive(folder: str, ticks: Iterator[Iterator[Record]]) -> None:
    """A commit for the records of a tick, whose timestamps are from before it."""
    sys.path.append(str(ROOT))
    append = import_module("jobs.log.archive.writer").append
    for records in ticks:
        rows = [(key.encode(), value.encode(), timestamp * 1000) for key, value, timestamp in records]
        if rows:
            keys, values, times = zip(*rows, strict=True)
            columns = [pa.array(keys), pa.array(values), pa.array(times, bench_data.SCHEMA.field("timestamp").type)]
            append(folder, TOPIC, PARTITIONS, [pa.record_batch(columns, schema=bench_data.SCHEMA)])


def record_times(home: str) -> dict[int, np.ndarray]:
    """By partition, the timestamps in seconds, by offset."""
    return _times_of_archive(home) if "/" in home else _times_of_kafka(home)


def _times_of_archive(folder: str) -> dict[int, np.ndarray]:
    micros = """cast(arrow_cast(timestamp, 'Timestamp(Microsecond, Some("UTC"))') as bigint)"""
    sql = f'select partition, "offset", {micros} as t from log where topic = \'{TOPIC}\' order by partition, "offset"'
    rows = pa.table(QueryBuilder().register("log", DeltaTable(folder)).execute(sql).read_all())
    partitions, offsets, times = (rows[name].to_numpy() for name in ("partition", "offset", "t"))
    found = {part: times[partitions == part] / 1e6 for part in range(PARTITIONS)}
    assert all((offsets[partitions == part] == np.arange(len(found[part]))).all() for part in found)
    return found


def _times_of_kafka(servers: str) -> dict[int, np.ndarray]:
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "freshness", "log_level": 0})
    ends = {p: consumer.get_watermark_offsets(TopicPartition(TOPIC, p), timeout=10)[1] for p in range(PARTITIONS)}
    times = {part: np.zeros(end) for part, end in ends.items()}
    consumer.assign([TopicPartition(TOPIC, part, 0) for part in ends])
    left = sum(ends.values())
    while left:
        for message in consumer.consume(10_000, timeout=1):
            times[message.partition()][message.offset()] = message.timestamp()[1] / 1000
            left -= 1
    consumer.close()
    return times


if __name__ == "__main__":
    home, *numbers = sys.argv[1:]
    rate, seconds, burst_after, burst = map(float, numbers)
    tick = COMMIT_SECONDS if "/" in home else TICK_SECONDS
    (send_to_archive if "/" in home else send_to_kafka)(
        home, due_records(int(rate), seconds, burst_after, int(burst), tick)
    )
