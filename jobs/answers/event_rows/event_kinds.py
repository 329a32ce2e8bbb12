"""Kinds of events by name: a topic, or a boolean column of a topic that is true for such events."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import BooleanType, StructType

from jobs.answers.event_rows import order
from jobs.answers.event_rows.order import Timeline
from jobs.running.errors import Mistake


@dataclass(frozen=True)
class Kind:
    """Which events a name means."""

    topic: str
    column: str | None
    """The boolean column that is true for them; None: every event of the topic."""


@dataclass(frozen=True)
class KindEvents:
    """The events of several kinds in canonical order, by group."""

    timeline: Timeline
    rows: np.ndarray
    """At each position: the row of the event in the table of its topic."""
    is_late: np.ndarray
    """At each position: whether the event is late."""
    is_kind: dict[str, np.ndarray]
    """By name of the kind, at each position: whether the event is such a one."""


def find_kinds(names: Iterable[str], columns: Mapping[str, Iterable[str]]) -> dict[str, Kind]:
    """The kind that each name means. `columns`: the names of the columns, by topic. A topic wins over a column."""
    kinds = {}
    for name in names:
        topic = name if name in columns else next(topic for topic, there in columns.items() if name in there)
        kinds[name] = Kind(topic, None if name in columns else name)
    return kinds


def check_kinds(names: Iterable[str], given: Mapping[str, StructType]) -> None:
    """Raises Mistake unless each name is a topic or a boolean column of exactly one topic."""
    for name in names:
        if name in given:
            continue
        topics = [topic for topic, events in given.items() if name in events.names]
        if not topics:
            there = [each for events in given.values() for each in events.names if _is_boolean(events, each)]
            booleans = f"boolean columns: {', '.join(there)}" if there else "there is no boolean column"
            raise Mistake(f'"{name}" is neither a topic nor a column of one. Topics: {", ".join(given)}; {booleans}')
        if len(topics) > 1:
            raise Mistake(
                f'"{name}" is a column of the topics {" and ".join(topics)}: which one is meant? Rename it in one of '
                f'their transforms: .alias("...")'
            )
        if not _is_boolean(given[topics[0]], name):
            kind = given[topics[0]][name].dataType.simpleString()
            raise Mistake(
                f'"{name}" is a column of {topics[0]} of type {kind}, and must be boolean: true for such events. Make '
                f'one in the transform, such as (F.col("{name}") == "...").alias("is_...")'
            )


def check_groups(by: tuple[str, ...], topics: Iterable[str], given: Mapping[str, StructType]) -> None:
    """Raises Mistake unless each of these topics has the columns of the group, with the same types."""
    first: dict[str, tuple[str, str]] = {}
    for topic in topics:
        for name in by:
            if name not in given[topic].names:
                there = ", ".join(given[topic].names)
                raise Mistake(f"by has {name}, which is no column of {topic}; its columns: {there}")
            kind = given[topic][name].dataType.simpleString()
            other, expected = first.setdefault(name, (topic, kind))
            if kind != expected:
                raise Mistake(
                    f"by has {name}, which is {expected} in {other} and {kind} in {topic}. Give it one type in both "
                    f'transforms: F.col("{name}").cast("{expected}")'
                )


def _is_boolean(events: StructType, name: str) -> bool:
    return isinstance(events[name].dataType, BooleanType)


def sort_events(kinds: Mapping[str, Kind], by: tuple[str, ...], given: Mapping[str, pa.Table]) -> KindEvents:
    """The events that are of any of these kinds, in canonical order, by group."""
    parts, columns = [], []
    for place, (topic, table) in enumerate(given.items()):
        names = [name for name, kind in kinds.items() if kind.topic == topic]
        if names:
            is_kind = {name: _is_such(table, kinds[name]) for name in names}
            rows = np.flatnonzero(np.logical_or.reduce(list(is_kind.values())))
            needed = table.select(dict.fromkeys((*by, "event_time", "record_partition", "record_offset", "late")))
            columns.append(needed if len(rows) == len(table) else needed.take(rows))
            parts.append((place, rows, {name: such[rows] for name, such in is_kind.items()}))
    ties = (
        np.concatenate([np.full(len(rows), place, np.int32) for place, rows, _ in parts]),
        _numbers(columns, "record_partition"),
        _numbers(columns, "record_offset"),
    )
    sorted_events = order.timeline(order.group_codes(columns, by), _numbers(columns, "event_time"), ties)
    everywhere = {
        name: np.concatenate([such.get(name, np.zeros(len(rows), bool)) for _, rows, such in parts]) for name in kinds
    }
    return KindEvents(
        sorted_events,
        np.concatenate([rows for _, rows, _ in parts])[sorted_events.order],
        np.concatenate([_truths(table["late"]) for table in columns])[sorted_events.order],
        {name: such[sorted_events.order] for name, such in everywhere.items()},
    )


def _is_such(table: pa.Table, kind: Kind) -> np.ndarray:
    return np.ones(len(table), bool) if kind.column is None else _truths(table[kind.column])


def _truths(column: pa.ChunkedArray) -> np.ndarray:
    """Null is no such event."""
    truths: np.ndarray = pc.fill_null(column, False).to_numpy()
    return truths


def _numbers(tables: list[pa.Table], name: str) -> np.ndarray:
    return np.concatenate([table[name].cast(pa.int64()).to_numpy() for table in tables])
