"""A burst waits in the log: batches stay within their bound, and another job on the same topic goes on."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from jobs import run
from jobs.keeping import ledger, microbatch
from jobs.log.archive import writer
from jobs.log.kafka import producer
from tests import delta
from tests.cluster.broker import Broker
from tests.cluster.keeping import make, named
from tests.cluster.kills import Side
from tests.jobs.keeping import checks, readings
from tests.jobs.keeping.world import UntilTheEnd

NORMAL = 6
"""Records that come at a time, until the burst: then 50 times as many."""
CEILING = 100
LOG = readings.only_good(readings.log(seed=4, each=80 * NORMAL // readings.PARTITIONS))[: 51 * NORMAL]


@pytest.fixture(params=["archive", "kafka"])
def home(
    request: Any, broker: Broker, kafka_places: Path
) -> tuple[run.Places, Callable[[list[readings.Record]], object]]:
    """Places, and what brings records into their log."""
    places = run.places(kafka_places).model_copy(update={"log": request.param})
    topic = f"bursting-{request.param}"
    assert places.kafka
    kafka = places.kafka
    if request.param == "kafka":
        make(broker, topic)
        return places, lambda some: producer.append(kafka, topic, 3, [readings.batch(some)])
    return places, lambda some: writer.append(places.archive, topic, 3, [readings.batch(some)])


def test_a_burst_of_50_times_the_normal_rate_makes_no_larger_batches_and_stalls_no_other_job(
    spark: SparkSession, home: Any
) -> None:
    places, write = home
    topic = f"bursting-{places.log}"
    slow = named(replace(readings.PANES, name="slow_v1", max_records_per_batch=CEILING, batch_target="1 second"), topic)
    other = named(replace(readings.SEEN, name="other_v1", max_records_per_batch=CEILING), topic)
    other_is_through, begun = threading.Event(), []

    def step(name: str) -> None:
        """The slow job comes no further than its second batch, until the other one has read the burst."""
        if name == "before panes":
            begun.append(name)
            if len(begun) == 2:
                assert other_is_through.wait(300), "the other job stalls"

    def keep(result: Any, **more: Any) -> None:
        job = UntilTheEnd(spark, places, continuous="100 milliseconds", say=lambda _: None, **more)
        microbatch.keep(job, result)

    write(LOG[:NORMAL])
    keep(slow)
    keep(other)
    write(LOG[NORMAL:])
    failed: list[BaseException] = []

    def keep_slow() -> None:
        try:
            keep(slow, step=step)
        except BaseException as error:
            failed.append(error)

    at_work = threading.Thread(target=keep_slow)
    at_work.start()
    keep(other)
    other_is_through.set()
    at_work.join(300)
    assert not failed and not at_work.is_alive() and len(begun) > 2
    for result in (slow, other):
        batches = [row["records"] for row in delta.rows(ledger.path(places, result.name)) if row["kind"] == "batch"]
        assert sum(batches) == len(LOG) == 51 * NORMAL
        assert max(batches) <= CEILING + readings.PARTITIONS
    checks.check_panes(Side(places, slow.name, LOG))
    checks.check_seen(Side(places, other.name, LOG))
