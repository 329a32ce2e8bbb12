"""How the rows of an answer change: those that follow from all events, less those that followed from the earlier ones.

The stored rows are not needed for it. Both sets of rows come out of the same events, each of which knows the ledger row
that appended it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.event_rows.event_answer import SHOWN, EventAnswer
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
    earlier = _up_to(events, before.sequence)
    if not any(map(len, earlier.values())):
        shown = _shown_rows(answer, rows, events, span, now)
        return shown.append_column(CHANGE, pa.repeat(NEW, len(shown)))
    goes_on = leaves_open_rows(answer, events, before, now)
    if goes_on and not _any_late(events, before):
        return _newly_decided(answer, rows, events, span, before)
    rows_before = _all_rows(answer, earlier, before)
    if goes_on:
        return compare(*_decided_rows(answer, rows_before, rows, events, span, now), answer.key)
    shown_before = _shown_rows(answer, rows_before, earlier, span, before)
    return compare(shown_before, _shown_rows(answer, rows, events, span, now), answer.key)


def leaves_open_rows(answer: EventAnswer, topics: Collection[str], before: Moment, now: Moment) -> bool:
    """Whether rows that the last run has shown open stay as they are between these moments, unless they are decided."""
    goes_on = before.open_sequence == now.open_sequence and before.complete_micros <= now.complete_micros
    return goes_on and answer.leaves_open_rows(topics)


def _any_late(events: Events, before: Moment) -> bool:
    """Whether any of the events that came since `before` has a time before complete time."""
    times = (table.filter(pc.greater(table["sequence"], before.sequence))["event_time"] for table in events.values())
    firsts = [pc.min(column.cast(pa.int64())).as_py() for column in times if len(column)]
    return bool(firsts) and min(firsts) < before.complete_micros


def _newly_decided(
    answer: EventAnswer, rows: pa.Table, events: Events, span: tuple[int, int], before: Moment
) -> pa.Table:
    """What has changed since `before` if no event was late since then: what was decided stays as it was, so the changes
    are the rows that fell due later. Half the work of a comparison.
    """
    is_new = _inside(rows, span) & (rows["due_time"].cast(pa.int64()).to_numpy() > before.complete_micros)
    decided = rows.filter(pa.array(is_new & rows[SHOWN].to_numpy())).drop_columns([SHOWN])
    was_open = places_among(decided.select(PLACE), _open_anchors(answer, events, before), PLACE) >= 0
    change = pc.if_else(pa.array(was_open), REVISED, NEW)
    return decided.append_column(CHANGE, change)


def _up_to(events: Events, sequence: int) -> Events:
    """The events that came up to this ledger row."""
    return {topic: table.filter(pc.less_equal(table["sequence"], sequence)) for topic, table in events.items()}


def _all_rows(answer: EventAnswer, events: Events, moment: Moment) -> pa.Table:
    """The rows that follow from these events at that moment, whether they are shown or not."""
    given = {topic: table.drop_columns(list(_PRIVATE)) for topic, table in events.items()}
    return answer.rows(given, moment.complete_micros)


def _inside(rows: pa.Table, span: tuple[int, int]) -> np.ndarray:
    micros = rows["event_time"].cast(pa.int64()).to_numpy()
    inside: np.ndarray = (micros >= span[0]) & (micros < span[1])
    return inside


def _shown_rows(answer: EventAnswer, rows: pa.Table, events: Events, span: tuple[int, int], moment: Moment) -> pa.Table:
    """Those of `rows` that are published at that moment, and those that are open since a run has ended: as they were
    then, if the answer leaves them.
    """
    is_shown: np.ndarray = rows[SHOWN].to_numpy() & _inside(rows, span)
    shown = rows.filter(pa.array(is_shown))
    old = _open_anchors(answer, events, moment)
    # Where each row comes from is looked up only where it matters: most events of a run that goes on came later.
    if len(old):
        if answer.leaves_open_rows(events) and moment.open_sequence < moment.sequence:
            rows = _all_rows(answer, _up_to(events, moment.open_sequence), moment)
        rows = rows.filter(pa.array(_inside(rows, span)))
        is_open = places_among(rows, shown, answer.key) < 0
        is_open[is_open] = places_among(rows.select(PLACE).filter(pa.array(is_open)), old, PLACE) >= 0
        shown = pa.concat_tables([shown, rows.filter(pa.array(is_open))])
    return shown.drop_columns([SHOWN])


def _open_anchors(answer: EventAnswer, events: Events, moment: Moment) -> pa.Table:
    """Places of the anchors whose rows are shown, decided or not."""
    topic = answer.anchor_topic(events)
    return _up_to({topic: events[topic]}, moment.open_sequence)[topic].select(PLACE)


def _decided_rows(
    answer: EventAnswer, before: pa.Table, now: pa.Table, events: Events, span: tuple[int, int], moment: Moment
) -> tuple[pa.Table, pa.Table]:
    """Of the rows before and now those that are decided; and those that were open in the table if they are decided now,
    or were before.
    """
    old = _open_anchors(answer, events, moment)
    sides = [rows.filter(pa.array(_inside(rows, span))) for rows in (before, now)]
    decided = [rows.filter(rows[SHOWN]) for rows in sides]
    if not len(old):  # nearly always, once the events of the last run are out of reach
        return decided[0].drop_columns([SHOWN]), decided[1].drop_columns([SHOWN])
    found = []
    for rows, shown, others in zip(sides, decided, reversed(decided), strict=True):
        rest = rows.filter(pc.invert(rows[SHOWN]))
        rest = rest.filter(pa.array(places_among(rest, others, answer.key) >= 0))
        rest = rest.filter(pa.array(places_among(rest.select(PLACE), old, PLACE) >= 0))
        found.append(pa.concat_tables([shown, rest]).drop_columns([SHOWN]))
    return found[0], found[1]


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
