"""Searches and clicks with the time of sending, so many a second into Kafka.

python tests/bench/outcome_flow.py SERVERS EVENTS_A_SECOND SECONDS
"""

import sys
import time

import numpy as np
from confluent_kafka import Producer
from questions.join.data import CLICKS, SEARCHES, SHARE_OF_CLICKS

USERS = 100_000
DISORDERED, DISORDER_MS = 0.05, 20_000
"""This share of events happened up to so long before they are sent."""
TICK_SECONDS = 0.05


def records(dice: np.random.Generator, sent_ms: np.ndarray, first_id: int) -> list[tuple[str, str, str, int]]:
    """(topic, key, value, timestamp) of the events that are sent at these times."""
    size = len(sent_ms)
    times = sent_ms - np.where(dice.random(size) < DISORDERED, dice.integers(0, DISORDER_MS, size), 0)
    topics = np.where(dice.random(size) < SHARE_OF_CLICKS, CLICKS, SEARCHES).tolist()
    users = dice.integers(0, USERS, size).tolist()
    events = zip(topics, users, range(first_id, first_id + size), times.tolist(), sent_ms.tolist(), strict=True)
    return [
        (topic, f"u{user}", f'{{"user":"u{user}","id":{number},"ts":{moment}}}', sent)
        for topic, user, number, moment, sent in events
    ]


def send(servers: str, rate: int, seconds: float) -> None:
    """As many as are due, again and again."""
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "linger.ms": 5})
    dice, begun, sent = np.random.default_rng(2), time.time(), 0
    while (passed := time.time() - begun) < seconds:
        due = int(passed * rate) - sent
        for topic, key, value, moment in records(dice, np.full(due, int(time.time() * 1000)), 10**9 + sent):
            producer.produce(topic, value, key, timestamp=moment)
        producer.poll(0)
        sent += due
        time.sleep(TICK_SECONDS)
    producer.flush()


if __name__ == "__main__":
    send(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
