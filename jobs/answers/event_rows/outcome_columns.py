"""The columns of rows of outcomes: those of the anchor, what was counted, those of the events that were found."""

from collections import Counter
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers import contract
from jobs.answers.event_rows.event_kinds import Kind
from jobs.running.errors import Mistake

PLACE = {"time": "event_time", "partition": "record_partition", "offset": "record_offset"}
"""Columns of every event that was found, and what they are in its topic."""
LATE = "late"
"""Whether an event is late: a column of every topic, and of no row."""


def anchor_columns(kind: Kind, kinds: Iterable[Kind], by: tuple[str, ...], there: Iterable[str]) -> list[str]:
    """The anchor's columns in order: its group, its time, its place in the log, the others. `there`: of its topic."""
    others = [name for name in there if name not in _hidden_columns(kind.topic, kinds)]
    return list(dict.fromkeys((*by, *PLACE.values(), *others)))


def found_columns(
    prefix: str, kind: Kind, kinds: Iterable[Kind], by: tuple[str, ...], there: Iterable[str]
) -> list[tuple[str, str]]:
    """The columns of an event that was found, in order: the name in the row, and in its topic."""
    hidden = {*by, *PLACE.values(), *_hidden_columns(kind.topic, kinds)}
    columns = [*PLACE.items(), *((name, name) for name in there if name not in hidden)]
    return [(f"{prefix}_{name}", column) for name, column in columns]


def _hidden_columns(topic: str, kinds: Iterable[Kind]) -> set[str | None]:
    return {LATE, *(kind.column for kind in kinds if kind.topic == topic)}


def take(table: pa.Table, columns: Iterable[tuple[str, str]], rows: np.ndarray) -> dict[str, pa.Array]:
    """These rows of the table; null for -1. `columns`: the new name of each, and its name in the table."""
    indices = pa.array(rows, mask=rows < 0)
    return {name: pc.take(table[column].combine_chunks(), indices) for name, column in columns}


def check_names(names: Iterable[str]) -> None:
    """Raises Mistake if two columns of a row have the same name, or one a name that no table takes."""
    names = list(names)
    for lowered, times in Counter(name.lower() for name in names).items():
        if times > 1:
            raise Mistake(
                f"two columns {lowered} (capital and small letters are the same). Rename the column in the transform, "
                'or give the Then or Before another prefix: name="..."'
            )
        if wrong := sorted(set(lowered) & set(contract.NEVER)):
            raise Mistake(
                f"a column of a table cannot be called {lowered!r}, which has {' '.join(map(repr, wrong))}. Rename the "
                'column in the transform, or give the Then or Before another prefix: name="..."'
            )
