"""Records with the time of sending, so many a second into Kafka; and their times afterwards.

python tests/bench/freshness_flow.py SERVERS RECORDS_A_SECOND SECONDS BURST_AFTER_SECONDS BURST_RECORDS
"""

import sys
import time

import bench_data
import numpy as np
from bench_input import PARTITIONS
from confluent_kafka import Consumer, Producer, TopicPartition

TOPIC = "page_view_now"
TICK_SECONDS = 0.02


def send(servers: str, rate: int, seconds: float, burst_after: float, burst: int) -> None:
    """Records with the time of sending, `rate` a second; and once a burst."""
    producer = Producer(
        {"bootstrap.servers": servers, "acks": "all", "linger.ms": 5, "queue.buffering.max.messages": 10**6}
    )
    users, pages = bench_data.zipf(bench_data.USERS, 1.1), bench_data.zipf(bench_data.PAGES, 0.8)
    dice, begun, sent = np.random.default_rng(1), time.time(), 0
    while (passed := time.time() - begun) < seconds:
        due = int(passed * rate) - sent
        if burst and passed > burst_after:
            due, burst = due + burst, 0
            sent -= due
        for user, page in zip(
            np.searchsorted(users, dice.random(due)), np.searchsorted(pages, dice.random(due)), strict=True
        ):
            now = int(time.time() * 1000)
            value = f'{{"user":"u{user}","page":"p{page}","ms":100,"ts":{now}}}'
            producer.produce(TOPIC, value, f"u{user}", timestamp=now)
            producer.poll(0)
        sent += due
        time.sleep(TICK_SECONDS)
    producer.flush()


def record_times(servers: str) -> dict[int, np.ndarray]:
    """By partition, the timestamps in seconds, by offset."""
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
    servers, *numbers = sys.argv[1:]
    rate, seconds, burst_after, burst = map(float, numbers)
    send(servers, int(rate), seconds, burst_after, int(burst))
