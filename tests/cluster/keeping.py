"""Topics and results for the tests with a broker."""

from dataclasses import replace
from typing import Any

from confluent_kafka.admin import NewTopic
from pyspark.sql import SparkSession

from jobs import run
from jobs.sinks import microbatch
from jobs.sinks.ledger import Row
from jobs.sources import log
from jobs.transforms.result import Result
from tests.cluster.broker import Broker


def named(result: Result, topic: str) -> Result:
    """The same result on another topic."""
    there = {name: getattr(result.topic, name) for name in ("KEY", "EVENT_TIME", "COLUMNS")}
    return replace(result, topic=type("Schema", (), there | {"TOPIC": topic}))


def make(broker: Broker, topic: str, partitions: int = 3, **settings: str) -> str:
    """A topic that keeps records of years ago; settings with _ for the dots."""
    config = {"retention.ms": "-1"} | {name.replace("_", "."): value for name, value in settings.items()}
    new = NewTopic(topic, partitions, config=config)
    next(iter(broker.admin().create_topics([new]).values())).result()
    return topic


def keep(spark: SparkSession, places: run.Places, result: Result, **more: Any) -> tuple[Row, list[str]]:
    """Run to the end of the log: the ledger's last row, and what the run said."""
    said: list[str] = []
    row = microbatch.keep(run.Run(spark, places, say=said.append, **more), result, log)
    return row, said
