"""Taps of devices whose clocks are wrong, in two partitions, some out of order or unreadable: a result with clocks."""

import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StringType, StructField, StructType, TimestampType

from jobs.answers.result import Late, Reads, Result
from jobs.decisions.clocks import Clocks
from jobs.log.archive import writer
from tests.jobs.keeping.world import World

PARTITIONS = 2
TIME = pa.timestamp("us", "UTC")
START = datetime(2024, 5, 1, 12, tzinfo=UTC)
DEVICES = {"a": timedelta(hours=-2), "it's b": timedelta(seconds=3), "c": timedelta(hours=2)}
"""By how much their clocks are ahead."""


def topic(firmware_required: bool) -> Any:
    """The topic; records without firmware can be read or not."""
    columns = [
        StructField("tapped_time", TimestampType(), False),
        StructField("sent_time", TimestampType()),
        StructField("device", StringType()),
        StructField("firmware", StringType(), not firmware_required),
    ]
    return SimpleNamespace(TOPIC="taps", KEY=None, EVENT_TIME="tapped_time", COLUMNS=StructType(columns))


STRICT, MENDED = topic(True), topic(False)
CLOCKS = Clocks("device", "sent_time", window=5, furthest="1 day")


def selected(taps: DataFrame) -> DataFrame:
    """What the clocks need, and the firmware."""
    place = ("record_partition", "record_offset", "record_timestamp")
    return taps.select("event_time", *place, "device", "firmware", "sent_time")


def computed(taps: DataFrame) -> DataFrame:
    """The same, but not by a plain selection: firmware has one letter."""
    return selected(taps).withColumn("firmware", taps.firmware.substr(1, 1))


RESULT = Result("tap_clock_v1", Reads(STRICT, selected, decide=CLOCKS), late=Late("1 day"))
Tap = dict[str, Any]
"""partition, received, and the record's value."""


def log(seed: int, length: int = 60, bad: bool = True) -> list[Tap]:
    """Taps in the order in which they are written; without `bad` each can be read."""
    dice, taps = random.Random(seed), []
    for number in range(length):
        device = dice.choice([*DEVICES, None])
        received = START + timedelta(seconds=20 * number)
        sent = received - timedelta(seconds=dice.uniform(0, 2)) + DEVICES.get(device or "", timedelta(0))
        tapped = sent - timedelta(seconds=dice.choice([0, 0, 600, -1]))
        value: dict[str, Any] = {"tapped_time": f"{tapped:%Y-%m-%dT%H:%M:%S.%fZ}", "device": device}
        if not bad or dice.random() < 0.9:
            value["firmware"] = dice.choice("12")
        if dice.random() < 0.9:
            value["sent_time"] = f"{sent:%Y-%m-%dT%H:%M:%S.%fZ}"
        taps.append({"partition": dice.randrange(PARTITIONS), "received": received, "value": value})
    return taps


class Taps(World):
    """A log of taps that grows, and a result over it, with accidents."""

    def __init__(self, spark: SparkSession, folder: Path, result: Result = RESULT) -> None:
        super().__init__(spark, folder, result)
        self.taps: list[Tap] = []

    def tap(self, taps: list[Tap]) -> None:
        """Append these records."""
        batches = []
        for partition in range(PARTITIONS):
            here = [tap for tap in taps if tap["partition"] == partition]
            columns = [
                pa.nulls(len(here), pa.binary()),
                pa.array([json.dumps(tap["value"]).encode() for tap in here], pa.binary()),
                pa.array([tap["received"] for tap in here], TIME),
            ]
            batches.append((partition, pa.record_batch(columns, ["key", "value", "timestamp"])))
        writer.append_to_partitions(self.places.archive, "taps", PARTITIONS, batches)
        self.taps += taps

    def events(self) -> pa.Table:
        """The good records with their places, in the columns of `selected`, worked out without the engine."""
        ends, rows = [0] * PARTITIONS, []
        for tap in self.taps:
            value, partition = tap["value"], tap["partition"]
            row = {"record_partition": partition, "record_offset": ends[partition], "record_timestamp": tap["received"]}
            ends[partition] += 1
            if "firmware" in value:
                for name, text in (("event_time", value["tapped_time"]), ("sent_time", value.get("sent_time"))):
                    row[name] = text and datetime.fromisoformat(text)
                rows.append(row | {name: value[name] for name in ("device", "firmware")})
        kinds = {"event_time": TIME, "record_partition": pa.int32(), "record_offset": pa.int64()}
        kinds |= {"record_timestamp": TIME, "device": pa.string(), "firmware": pa.string(), "sent_time": TIME}
        return pa.Table.from_pylist(rows, schema=pa.schema(kinds))
