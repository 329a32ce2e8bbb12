"""Sessions: the rows of merged spells, and when a row is final."""

from datetime import timedelta

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql.pandas.types import to_arrow_schema

from jobs.answers.sessions import Sessions
from jobs.facts import spells
from jobs.running.errors import Mistake
from tests.jobs.facts.sessions_by_hand import (
    GAP,
    KINDS,
    NEAR_GAPS,
    SECOND,
    SESSIONS,
    SPELLS,
    Event,
    batch,
    events,
    expected,
    moment,
    published,
)


def test_a_row_has_the_session_its_statistics_and_the_time_from_which_it_cannot_grow() -> None:
    times = [100, 109, 118]
    numbers = [4, None, 7]
    rows = [Event(time * SECOND, "a", n, None, t, ok)
            for time, n, t, ok in zip(times, numbers, "xyx", (True, None, False), strict=True)]  # fmt: skip
    [row] = SESSIONS.rows(batch(rows), 0).to_pylist()
    assert list(row) == SESSIONS.columns(spells.output(KINDS, SPELLS)).names
    assert (row["g"], row["session_start"], row["session_end"]) == ("a", moment(100 * SECOND), moment(118 * SECOND))
    assert (row["events"], row["n_mean"], row["n_min"], row["n_max"], row["n_sum"]) == (3, 5.5, 4, 7, 11)
    assert (row["x_mean"], row["x_stddev"], row["ok_count"], row["t_estimate"], row["lg_k"]) == (None, None, 1, 2, 12)
    assert row["n_stddev"] == pytest.approx(4.5**0.5)
    assert (row["due_time"], row["final"]) == (moment(128 * SECOND), False)


def test_the_columns_stand_in_order_and_have_the_types_of_the_events() -> None:
    counted = Sessions(("g",), "1 hour", count="clicks", averages=("n",))
    columns = counted.columns(spells.output(KINDS, counted.spells))
    assert [(field.name, field.dataType.simpleString()) for field in columns] == [
        ("g", "string"),
        ("session_start", "timestamp"),
        ("session_end", "timestamp"),
        ("clicks", "bigint"),
        ("n_mean", "double"),
        ("n_min", "bigint"),
        ("n_max", "bigint"),
        ("due_time", "timestamp"),
        ("final", "boolean"),
    ]
    rows = counted.rows(batch([], counted.spells), 0)
    assert rows.schema == to_arrow_schema(columns, timezone="UTC")
    assert counted.key == ("g", "session_start")


def test_a_row_is_final_from_the_moment_at_which_an_event_in_time_would_begin_the_next_session() -> None:
    spell = batch([Event(1000 * SECOND)])
    due = 1000 * SECOND + GAP
    assert SESSIONS.rows(spell, due - 1)["final"].to_pylist() == [False]
    assert SESSIONS.rows(spell, due)["final"].to_pylist() == [True]
    for complete, joins in ((due - 1, True), (due, False)):
        both = spells.merge(pa.concat_tables([spell, batch([Event(complete)])]), SPELLS)
        assert (len(both) == 1) == joins


@settings(max_examples=40)
@given(events(), NEAR_GAPS, st.data())
def test_events_from_the_complete_time_on_never_change_a_final_row_and_may_change_any_other(
    rows: list[Event], complete: int, data: st.DataObject
) -> None:
    before = published(spells.merge(batch(rows), SPELLS), complete)
    assert before == expected(rows, complete)
    later = [event._replace(event_time=complete + event.event_time - 900 * SECOND) for event in data.draw(events())]
    after = published(spells.merge(pa.concat_tables([batch(rows), batch(later)]), SPELLS), complete)
    assert [row for row in before if row["final"]] == [row for row in after if row["final"]]
    for row in [row for row in before if not row["final"]][:2]:
        last = (row["due_time"] - moment(1)) // timedelta(microseconds=1)
        assert last >= complete
        grown = spells.merge(pa.concat_tables([batch(rows), batch([Event(last, row["g"])])]), SPELLS)
        assert row not in published(grown, complete)


def test_a_late_event_joins_sessions_and_gives_the_row_an_earlier_start() -> None:
    stored = batch([Event(100 * SECOND), Event(115 * SECOND)])
    assert [row["session_start"] for row in published(stored)] == [moment(100 * SECOND), moment(115 * SECOND)]
    late = batch([Event(107 * SECOND), Event(95 * SECOND)])
    [row] = published(spells.merge(pa.concat_tables([stored, late]), SPELLS))
    assert (row["session_start"], row["session_end"], row["events"]) == (moment(95 * SECOND), moment(115 * SECOND), 4)


def test_what_is_wrong_in_a_job_file_is_refused() -> None:
    with pytest.raises(Mistake, match='"soon" is not a duration'):
        Sessions(("g",), "soon")
    with pytest.raises(Mistake, match="g: named twice in Sessions"):
        Sessions(("g",), "1 hour", sums=("g",))
