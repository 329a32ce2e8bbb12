"""For each event of a kind: what came then, or did not, and what came before. Joins of topics, and patterns."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from pyspark.sql.types import (
    BooleanType,
    DataType,
    IntegerType,
    LongType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers.event_rows import event_kinds, outcome_columns, outcome_steps
from jobs.answers.event_rows.event_answer import SHOWN
from jobs.answers.event_rows.event_kinds import Kind, KindEvents
from jobs.answers.event_rows.outcome_steps import Before, Paths, Then
from jobs.running.errors import Mistake

__all__ = ["BROKEN", "OPEN", "Before", "Outcomes", "Then"]

OPEN = "open"
"""Outcome of an anchor of which an event that is not late could still decide."""
BROKEN = "broken"
"""Outcome where an event of a step's `without` came first."""

OUTCOME, STEPS = "outcome", "steps"
"""Columns that say what became of an anchor."""

_MATCHED, _NOT_MATCHED, _LATE, _BROKEN, _OPEN = range(5)
"""Places of outcomes in (*called, BROKEN, OPEN)."""
_TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Outcomes:
    """A row for each anchor event, with what came `then` and what was `before` it.

    Its columns: those of the anchor; {name}_count and {name}_first_time of each Before; `outcome`; `steps`, how many
    were reached, if there are several; of each Then {name}_time, {name}_partition, {name}_offset and {name}_COLUMN.
    """

    each: str
    """The anchors: a topic of the result, or a boolean column of its events that is true for them."""
    by: tuple[str, ...]
    """The group, whose events meet: columns of the same name and type in every topic that is named here."""
    then: tuple[Then, ...] = ()
    """The steps, in order."""
    before: tuple[Before, ...] = ()
    """What must have come before an anchor, for it to give a row."""
    called: tuple[str, str, str] = ("matched", "not_matched", "late_match")
    """Names of outcomes: all steps were reached; one was not, and time is up; reached with an event that was late."""
    name: str = ""
    """Of the answer; "": the result's own table."""
    early: bool = False
    """Whether a row is shown, while a run goes on, as soon as it is decided, although an event may still change it."""

    def __post_init__(self) -> None:
        for field in ("by", "then", "before", "called"):
            if not isinstance(getattr(self, field), tuple):
                raise Mistake(f'{field} of the outcomes of {self.each} is a tuple: write a comma, such as ("user",)')
        if not self.then and not self.before:
            raise Mistake(f"the outcomes of {self.each} ask for nothing: give them a Then or a Before")
        for step in self.then[:-1]:
            if step.take == "every":
                raise Mistake(f'take="every" of {step.event}: only the last Then may take every event')
        if len(self.called) != 3 or len({*self.called, OPEN, BROKEN, ""}) < 6:
            raise Mistake(
                f"called of the outcomes of {self.each}: write three different names, none of them {OPEN} or {BROKEN}"
            )

    def named(self, name: str) -> "Outcomes":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def reach(self) -> tuple[int, int]:
        """How long before and after an anchor events matter to its row, in microseconds."""
        return max((each.micros for each in self.before), default=0), sum(step.micros for step in self.then)

    @property
    def waits(self) -> tuple[tuple[int, int], ...]:
        """A row falls due with an event of its group, or when a limit after one has passed, in microseconds."""
        return ((0, 0), *((step.micros, step.micros) for step in self.then))

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row from another."""
        key: tuple[str, ...] = ("record_partition", "record_offset")
        if self.then and self.then[-1].take == "every":
            key += tuple(f"{self.then[-1].prefix}_{name}" for name in ("partition", "offset"))
        return key

    def check(self, given: Mapping[str, StructType]) -> None:
        """Raises Mistake unless the columns of the events, by topic, are those that the outcomes name."""
        try:
            event_kinds.check_kinds(self._names(), given)
            kinds = event_kinds.find_kinds(self._names(), {topic: events.names for topic, events in given.items()})
            used = {kind.topic for kind in kinds.values()}
            event_kinds.check_groups(self.by, [topic for topic in given if topic in used], given)
            outcome_columns.check_names([field.name for field in self._fields(given)])
        except Mistake as mistake:
            raise Mistake(f"outcomes of {self.each}: {mistake}") from None

    def columns(self, given: Mapping[str, StructType]) -> StructType:
        """The columns of rows. `given`: those of the events, by topic."""
        return StructType(self._fields(given))

    def lone_topics(self, topics: Collection[str]) -> frozenset[str]:
        """The topic of the anchors, if nothing else is looked for in it, by its name or by that of a column."""
        others = self._names()[1:]
        is_alone = (
            self.each in topics and not self.early and all(name in topics and name != self.each for name in others)
        )
        return frozenset({self.each}) if is_alone else frozenset()

    def leaves_open_rows(self, topics: Collection[str]) -> bool:
        """If it says for each event of a topic of its own what came then, once."""
        says_once = bool(self.then) and self.then[-1].take != "every" and not self.before
        return says_once and bool(self.lone_topics(topics))

    def waits_by_topic(self, topics: Collection[str]) -> Mapping[str, tuple[tuple[int, int], ...]]:
        """The first limit is after an anchor; of a lone one no other is, and a row falls due with an event that was
        found.
        """
        if not self.lone_topics(topics) or not self.then:
            return dict.fromkeys(topics, self.waits)
        found, first, *others = self.waits
        return dict.fromkeys(topics, (found, *others)) | {self.each: (first,)}

    def anchor_topic(self, topics: Mapping[str, object]) -> str:
        """The topic of the anchors; `topics`: their events, by topic, or the columns of these."""
        names = {topic: _names_of(events) for topic, events in topics.items()}
        return event_kinds.find_kinds([self.each], names)[self.each].topic

    def rows(self, given: Mapping[str, pa.Table], complete_micros: int) -> pa.Table:
        """The rows of all anchors among the events, by topic; in no particular order.

        Every event that comes later with an event time before `complete_micros` (microseconds since 1970) is late.
        """
        kinds = event_kinds.find_kinds(self._names(), {topic: table.column_names for topic, table in given.items()})
        events = event_kinds.sort_events(kinds, self.by, given)
        anchors = np.flatnonzero(events.is_kind[self.each])
        counted = [outcome_steps.count_before(events, anchors, each) for each in self.before]
        is_row = np.ones(len(anchors), bool)
        for before, (counts, _) in zip(self.before, counted, strict=True):
            is_row &= counts >= before.times
        paths = outcome_steps.follow(events, anchors[is_row], self.then)
        is_final = paths.changeable < complete_micros
        row_of = np.searchsorted(anchors, paths.anchors)
        columns = self._anchor_arrays(kinds, events, given, paths)
        for before, (counts, firsts) in zip(self.before, counted, strict=True):
            columns[f"{before.prefix}_count"] = pa.array(counts[row_of])
            columns[f"{before.prefix}_first_time"] = _instants(events.timeline.times[firsts[row_of]])
        shown = np.ones(len(row_of), bool) if self.early else is_final
        if self.then:
            outcomes = self._outcomes(events, paths, is_final)
            columns[OUTCOME] = pa.array([*self.called, BROKEN, OPEN]).take(pa.array(outcomes))
            shown = is_final | (shown & (outcomes != _OPEN))
        if len(self.then) > 1:
            columns[STEPS] = pa.array(paths.steps.astype(np.int32))
        columns |= self._found_arrays(kinds, events, given, paths)
        columns |= {"due_time": _instants(paths.changeable + 1), "final": pa.array(is_final), SHOWN: pa.array(shown)}
        return pa.table(columns)

    def _outcomes(self, events: KindEvents, paths: Paths, is_final: np.ndarray) -> np.ndarray:
        """For each path the place of its outcome in (*called, BROKEN, OPEN)."""
        is_late = np.zeros(len(paths.anchors), bool)
        for found in paths.found:
            is_late[found >= 0] |= events.is_late[found[found >= 0]]
        is_reached = paths.steps == len(self.then)
        places: np.ndarray = np.select(
            [is_reached & is_late, is_reached, paths.is_broken, is_final],
            [_LATE, _MATCHED, _BROKEN, _NOT_MATCHED],
            _OPEN,
        )
        return places

    def _anchor_arrays(
        self, kinds: Mapping[str, Kind], events: KindEvents, given: Mapping[str, pa.Table], paths: Paths
    ) -> dict[str, pa.Array]:
        table = given[kinds[self.each].topic]
        names = outcome_columns.anchor_columns(kinds[self.each], kinds.values(), self.by, table.column_names)
        return outcome_columns.take(table, zip(names, names, strict=True), events.rows[paths.anchors])

    def _found_arrays(
        self, kinds: Mapping[str, Kind], events: KindEvents, given: Mapping[str, pa.Table], paths: Paths
    ) -> dict[str, pa.Array]:
        columns: dict[str, pa.Array] = {}
        for step, found in zip(self.then, paths.found, strict=True):
            kind = kinds[step.event]
            table = given[kind.topic]
            names = outcome_columns.found_columns(step.prefix, kind, kinds.values(), self.by, table.column_names)
            rows = np.where(found >= 0, events.rows[found], -1) if len(events.rows) else found
            columns |= outcome_columns.take(table, names, rows)
        return columns

    def _fields(self, given: Mapping[str, StructType]) -> list[StructField]:
        """The columns of rows, in order; two of one name if the outcomes ask for that."""
        kinds = event_kinds.find_kinds(self._names(), {topic: events.names for topic, events in given.items()})
        events = given[kinds[self.each].topic]
        names = outcome_columns.anchor_columns(kinds[self.each], kinds.values(), self.by, events.names)
        fields: list[tuple[str, DataType]] = [(name, events[name].dataType) for name in names]
        for before in self.before:
            fields += [(f"{before.prefix}_count", LongType()), (f"{before.prefix}_first_time", TimestampType())]
        if self.then:
            fields.append((OUTCOME, StringType()))
        if len(self.then) > 1:
            fields.append((STEPS, IntegerType()))
        for step in self.then:
            events = given[kinds[step.event].topic]
            found = outcome_columns.found_columns(step.prefix, kinds[step.event], kinds.values(), self.by, events.names)
            fields += [(name, events[column].dataType) for name, column in found]
        fields += [("due_time", TimestampType()), ("final", BooleanType())]
        return [StructField(name, kind) for name, kind in fields]

    def _names(self) -> list[str]:
        """Every kind of events that is named, once."""
        names: list[str | None] = [self.each]
        names += [name for step in self.then for name in (step.event, step.without)]
        names += [name for each in self.before for name in (each.event, each.since)]
        return list(dict.fromkeys(name for name in names if name is not None))


def _names_of(events: object) -> list[str]:
    return list(events.column_names if isinstance(events, pa.Table) else events.names)  # type: ignore[attr-defined]


def _instants(micros: np.ndarray) -> pa.Array:
    return pa.array(micros).cast(_TIME)
