"""A second version of a result, filled from the log beside the first: compared, promoted, and read by its feed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from jobs.admin.versions import promotion, result_comparison
from jobs.answers.delivery import Topic
from jobs.keeping import microbatch
from jobs.log.archive import writer
from jobs.publishing import results
from jobs.publishing.feed_reader import FeedChanges, read_changes
from jobs.run import Run
from jobs.running.errors import Refused
from tests.altered import altered
from tests.jobs.keeping import readings, small
from tests.jobs.keeping.world import places_in

LEFT_OUT = "north"


def without_a_site(events: DataFrame) -> DataFrame:
    return readings.transform(events.where(events.site != LEFT_OUT))


SECOND = replace(altered(small.RESULT, name="small_v2", transform=without_a_site), deliver=(Topic("small_changes"),))


def by_key(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], int]:
    return {(row["window_kind"], row["window_start"], row["site"]): row["records"] for row in rows}


def applied(held: dict[tuple[Any, ...], int], changes: FeedChanges) -> dict[tuple[Any, ...], int]:
    return by_key(changes.rows.to_pylist()) if changes.is_whole else held | by_key(changes.rows.to_pylist())


def test_a_version_that_is_ahead_is_compared_promoted_and_followed(spark: SparkSession, folder: Path) -> None:
    places = places_in(folder)
    run = Run(spark, places, say=lambda _: None)
    microbatch.keep(run, SECOND)
    promotion.promote(places, "small", "small_v2")
    first = read_changes(places, "small")
    writer.append(f"{folder}/archive", "readings", readings.PARTITIONS, [readings.batch(small.LOG[9:])])
    microbatch.keep(run, SECOND)
    old = small.expected(small.LOG[:9])
    of_site = [key for key in old if key[1] == LEFT_OUT]
    assert 0 < len(of_site) < len(old)
    found = result_comparison.compare(places, "small_v1", "small_v2")
    rows = found.answers[""]
    assert (rows.old_rows, rows.missing, rows.added, rows.different) == (len(old), len(of_site), 0, 0)
    assert sum(offset for _, offset in found.at.offsets) == 9
    with pytest.raises(Refused, match=r"small_v1 has published topic readings, partition . up to offset"):
        promotion.promote(places, "small", "small_v1")
    second = read_changes(places, "small", first.position)
    assert first.is_whole and not second.is_whole
    now = by_key(results.query(places, "select * from small", "small").to_pylist())
    assert applied(applied({}, first), second) == now
    counted = {key: n for key, n in small.expected(small.LOG).items() if key[1] != LEFT_OUT}
    assert {key[1:]: n for key, n in now.items()} == counted


def test_a_topic_is_taken_over_only_when_the_version_before_has_let_it_go(spark: SparkSession, folder: Path) -> None:
    places = places_in(folder)
    run = Run(spark, places, say=lambda _: None)
    microbatch.keep(run, SECOND)
    third = altered(SECOND, name="small_v3")
    with pytest.raises(Refused, match="small_v3 is to deliver to topic small_changes, and small_v2 does"):
        microbatch.keep(run, third)
    assert not list(Path(places.tables).glob("small_v3*"))
    microbatch.keep(run, replace(SECOND, deliver=()))
    microbatch.keep(run, third)
    with pytest.raises(Refused, match="small_v2 is to deliver to topic small_changes, and small_v3 does"):
        microbatch.keep(run, SECOND)
