"""How the rows of an answer change: those that follow from all events, less those that followed from the earlier ones.

The stored rows are not needed for it. Both sets of rows come out of the same events, each of which knows the ledger row
that appended it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.event_answer import SHOWN, EventAnswer
from jobs.facts import partials
from jobs.facts.kept_events import KEY_HASH, PLACE
from jobs.running.errors import Mistake

CHANGE = "__change"
"""Private column of changes: NEW, REVISED or WITHDRAWN."""
NEW, REVISED, WITHDRAWN = "new", "revised", "withdrawn"
_PRIVATE = ("sequence", KEY_HASH)


@dataclass(frozen=True)
class Moment:
    """What is known when an answer is published."""

    sequence: int
    """The last ledger row whose events count."""
    complete_micros: int
    """Complete time, in microseconds since 1970."""
    open_sequence: int
    """Rows are shown of all anchors that came up to this ledger row, whether they are decided or not."""


Events = Mapping[str, pa.Table]
"""By topic."""


def changes(answer: EventAnswer, events: Events, span: tuple[int, int], before: Moment, now: Moment) -> pa.Table:
    """What has changed from `before` to `now` among the rows anchored in [first, after) microseconds since 1970: the
    columns of the answer and CHANGE. `events`: all that the answer's reach demands of them.

    Raises Mistake if two rows have the same key: the transform has made several events of one record.
    """
    rows = _all_rows(answer, events, now)
    check_keys(answer, rows, answer.anchor_topic(events))
    shown = _shown_rows(answer, rows, events, span, now)
    earlier = {
        topic: table.filter(pc.less_equal(table["sequence"], before.sequence)) for topic, table in events.items()
    }
    if not any(map(len, earlier.values())):
        return shown.append_column(CHANGE, pa.repeat(NEW, len(shown)))
    return compare(_shown_rows(answer, _all_rows(answer, earlier, before), earlier, span, before), shown, answer.key)


def _all_rows(answer: EventAnswer, events: Events, moment: Moment) -> pa.Table:
    """The rows that follow from these events at that moment, whether they are shown or not."""
    given = {topic: table.drop_columns(list(_PRIVATE)) for topic, table in events.items()}
    return answer.rows(given, moment.complete_micros)


def _shown_rows(answer: EventAnswer, rows: pa.Table, events: Events, span: tuple[int, int], moment: Moment) -> pa.Table:
    """Those of `rows` that are published at that moment."""
    micros = rows["event_time"].cast(pa.int64()).to_numpy()
    inside = (micros >= span[0]) & (micros < span[1])
    is_shown: np.ndarray = rows[SHOWN].to_numpy() & inside
    anchors = events[answer.anchor_topic(events)]
    # Where each row comes from is looked up only where it matters: most events of a run that goes on came later.
    if len(anchors) and pc.min(anchors["sequence"]).as_py() <= moment.open_sequence:
        others = np.flatnonzero(inside & ~is_shown)
        old = anchors.filter(pc.less_equal(anchors["sequence"], moment.open_sequence))
        is_shown[others] = places_among(rows.select(PLACE).take(pa.array(others)), old.select(PLACE), PLACE) >= 0
    return rows.filter(pa.array(is_shown)).drop_columns([SHOWN])


def check_keys(answer: EventAnswer, rows: pa.Table, topic: str) -> None:
    """Raises Mistake if two rows have the same key. Those that are not shown yet count, too: a row that is shown later
    would take the place of another one.
    """
    keys = partials.group_keys(rows, answer.key)
    order = np.argsort(keys)
    same = np.flatnonzero(keys[order][1:] == keys[order][:-1])
    if len(same):
        partition, offset = (rows[name][int(order[same[0]])].as_py() for name in PLACE)
        which = f"the answer {answer.name}" if answer.name else "its answer"
        raise Mistake(
            f"the transform of topic {topic}, or of another one, makes several events of one record (explode, or a "
            f"join), and {which} has two rows of partition {partition}, offset {offset} that nothing tells apart. Let "
            "it make one event of a record, and give the result a new version in its name."
        )


def compare(before: pa.Table, now: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows that are new, those that are not what they were, and those that are no more, with CHANGE."""
    at = places_among(now, before, key)
    is_known = at >= 0
    pairs = now.filter(pa.array(is_known)), before.take(pa.array(at[is_known]))
    differs = np.zeros(len(now), bool)
    differs[is_known] = ~_are_equal(*pairs)
    stays = np.zeros(len(before), bool)
    stays[at[is_known]] = True
    parts = ((now, ~is_known, NEW), (now, differs, REVISED), (before, ~stays, WITHDRAWN))
    tables = [rows.filter(pa.array(which)) for rows, which, _ in parts]
    named = zip(tables, (change for *_, change in parts), strict=True)
    return pa.concat_tables([rows.append_column(CHANGE, pa.repeat(change, len(rows))) for rows, change in named])


def places_among(wanted: pa.Table, rows: pa.Table, key: tuple[str, ...]) -> np.ndarray:
    """For each wanted row where a row of the same key is, or -1. A key is there once."""
    if not len(rows) or not len(wanted):
        return np.full(len(wanted), -1)
    codes = partials.group_keys(pa.concat_tables([wanted.select(key), rows.select(key)]), key)
    asked, there = pa.array(codes[: len(wanted)]), pa.array(codes[len(wanted) :])
    places: np.ndarray = pc.fill_null(pc.index_in(asked, there), -1).to_numpy()
    return places


def _are_equal(one: pa.Table, other: pa.Table) -> np.ndarray:
    """Which rows are the same, column by column: null is null, and NaN is NaN."""
    equal = np.ones(len(one), bool)
    for name in one.column_names:
        equal &= _equal_values(one[name].combine_chunks(), other[name].combine_chunks())
    return equal


def _equal_values(one: pa.Array, other: pa.Array) -> np.ndarray:
    if pa.types.is_nested(one.type):  # Arrow compares no lists and structs
        pairs = zip(one.to_pylist(), other.to_pylist(), strict=True)
        return np.fromiter((a == b for a, b in pairs), bool, len(one))
    same = pc.fill_null(pc.equal(one, other), False)
    same = pc.or_(same, pc.and_(pc.is_null(one, nan_is_null=True), pc.is_null(other, nan_is_null=True)))
    values: np.ndarray = same.to_numpy(zero_copy_only=False)
    return values
