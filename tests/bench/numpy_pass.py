"""The floor for Python on Kafka: confluent-kafka, orjson and numpy, one pass, every record in memory.

Writes hopping.parquet, distinct.parquet and first_seen.parquet, all of them exact. It keeps nothing up to date and
could not go on from where it stopped: no tables, no ledger, no late records, no quarantine.
"""

import argparse
from pathlib import Path

import numpy as np
import orjson
import pandas as pd
from confluent_kafka import Consumer, TopicPartition

CHUNK = 10_000
"""Records that are decoded together."""
MINUTE_MS = 60_000
DEPTH = 10
"""Minutes in a hopping window; one starts each minute."""


class Columns:
    """The records as columns of numbers: users and pages by the order in which they were first seen."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.pages: dict[str, int] = {}
        self._chunks: list[tuple[np.ndarray, ...]] = []

    def add(self, values: list[bytes]) -> None:
        """Decode a chunk; records of a partition must come in the order of their offsets."""
        rows, users, pages = orjson.loads(b"[" + b",".join(values) + b"]"), self.users, self.pages
        numbers = [
            (users.setdefault(row["user"], len(users)), pages.setdefault(row["page"], len(pages)), row["ms"], row["ts"])
            for row in rows
        ]
        user, page, ms, ts = np.array(numbers, dtype=np.int64).T
        self._chunks.append((user.astype(np.int32), page.astype(np.int32), ms.astype(np.int32), ts // MINUTE_MS))

    def joined(self) -> tuple[np.ndarray, ...]:
        """User, page, milliseconds and minute since 1970 of all records."""
        return tuple(np.concatenate(column) for column in zip(*self._chunks, strict=True))


def read(servers: str, topic: str, columns: Columns) -> None:
    """Every record that is in the topic at the beginning."""
    settings = {"bootstrap.servers": servers, "group.id": "numpy", "enable.auto.commit": False, "log_level": 0}
    consumer = Consumer(settings)
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    ranges = {part: consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=10) for part in partitions}
    consumer.assign([TopicPartition(topic, part, start) for part, (start, _) in ranges.items()])
    left = sum(end - start for start, end in ranges.values())
    while left > 0:
        messages = consumer.consume(min(CHUNK, left), timeout=10)
        if not messages:
            raise SystemExit(f"no record came within 10 seconds; {left:,} are missing")
        columns.add([message.value() for message in messages])
        left -= len(messages)
    consumer.close()


def times(minutes: np.ndarray) -> pd.DatetimeIndex:
    """Minutes since 1970 as times."""
    return pd.to_datetime(minutes * 60, unit="s", utc=True)


def results(columns: Columns) -> dict[str, pd.DataFrame]:
    """The three results by name."""
    user, page, ms, minute = columns.joined()
    names = np.array(list(columns.pages), dtype=object)
    first, last = int(minute.min()), int(minute.max())
    width = last - first + DEPTH  # windows start up to nine minutes before the first record
    pane = page.astype(np.int64) * width + (minute - first + DEPTH - 1)
    counts, sums = (np.bincount(pane, weights, len(names) * width).reshape(len(names), width) for weights in (None, ms))
    windows = [np.zeros_like(each) for each in (counts, sums)]
    for step in range(DEPTH):
        for window, each in zip(windows, (counts, sums), strict=True):
            window[:, : width - step] += each[:, step:]
    which, start = windows[0].nonzero()
    count, total = (window[which, start] for window in windows)
    hopping = {
        "page": names[which],
        "window_start": times(start + first - DEPTH + 1),
        "count": count,
        "mean": total / count,
    }
    seen = np.unique(pane * len(columns.users) + user) // len(columns.users)
    panes, users = np.unique(seen, return_counts=True)
    distinct = {
        "page": names[panes // width],
        "minute": times(panes % width + first - DEPTH + 1),
        "estimate": users.astype(float),
    }
    # np.unique gives the first place of each user, and a user's records are in the order of their offsets.
    minutes, new = np.unique(minute[np.unique(user, return_index=True)[1]], return_counts=True)
    first_seen = {"minute": times(minutes), "count": new}
    return {
        name: pd.DataFrame(result)
        for name, result in (("hopping", hopping), ("distinct", distinct), ("first_seen", first_seen))
    }


def main() -> None:
    """Compute the three results of one topic."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--topic", required=True)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    columns = Columns()
    read(args.servers, args.topic, columns)
    for name, result in results(columns).items():
        result.to_parquet(args.out / f"{name}.parquet")


if __name__ == "__main__":
    main()
