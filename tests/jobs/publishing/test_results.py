"""What analysts read: the published windows, and the same merged from the panes at this moment."""

from collections.abc import Callable

import pytest
from pyspark.sql import SparkSession

from jobs.keeping import microbatch
from jobs.publishing import results
from jobs.run import Run
from jobs.running.errors import Refused
from jobs.running.places import Places
from tests.jobs.steps import Stopped, stopping_at
from tests.jobs.visits import COUNTED, SEEN, expected, write


def test_fresh_is_what_will_be_published(spark: SparkSession, a_run: Callable[..., Run], places: Places) -> None:
    with pytest.raises(Refused, match="there is no table visits_v1"):
        results.published_rows(spark, places, COUNTED)
    write(places, 0, 25)
    with pytest.raises(Stopped):
        microbatch.keep(a_run(step=stopping_at("before windows")), COUNTED)
    assert results.published_rows(spark, places, COUNTED).count() == 0
    fresh = results.fresh(spark, places, COUNTED)
    rows = fresh.collect()
    truth = expected(25, without_site=False)
    assert {(r.window_start.timestamp(), r.site): (r.visits, r.who_estimate) for r in rows} == {
        (start.timestamp(), site): said for (start, site), said in truth.items()
    }
    microbatch.keep(a_run(), COUNTED)
    published = results.published_rows(spark, places, COUNTED)
    assert published.columns == [*fresh.columns, "revision", "updated_time"]
    assert sorted(published.drop("revision", "updated_time").collect()) == sorted(rows)
    frame = results.pandas(places, "visits_v1")
    assert list(frame.columns) == published.columns
    assert sorted(frame["visits"]) == sorted(row.visits for row in rows)
    assert results.query(places, "select sum(visits) as n from visits_v1", "visits_v1").to_pylist() == [
        {"n": sum(visits for visits, _ in truth.values())}
    ]


def test_what_is_not_there_is_refused(spark: SparkSession, places: Places) -> None:
    with pytest.raises(Refused, match="no panes"):
        results.fresh(spark, places, SEEN)
    with pytest.raises(Refused, match="run the job"):
        results.pandas(places, "none_v1")
