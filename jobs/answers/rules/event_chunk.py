"""A chunk of events as rules look at them: the values of a field as their places in order, and the words of texts.

Codes are in the order of SQL: texts by code points, NaN above all numbers. So each comparison of a rule is an interval
of codes, and the events that meet it are a slice of the events in the order of their codes.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.rules.words import Postings, postings


class FieldCodes:
    """The values of one field of a chunk."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        encoded = _comparable(column).combine_chunks().dictionary_encode()
        order = pc.sort_indices(encoded.dictionary).to_numpy()
        self.values = _as_numpy(encoded.dictionary.take(pa.array(order)))
        """Those that are there, in ascending order; one code may stand for 0.0 and the next one for -0.0."""
        ranks = np.empty(len(order) + 1, np.int32)
        ranks[order], ranks[-1] = np.arange(len(order)), -1
        self.codes = ranks[pc.fill_null(encoded.indices, -1).to_numpy()]
        """The place in `values` of each event's value; -1: null."""

    def lower(self, values: np.ndarray) -> np.ndarray:
        """For each of these values, the first code that is not smaller."""
        return np.searchsorted(self.values, values, side="left")

    def upper(self, values: np.ndarray) -> np.ndarray:
        """For each of these values, the first code that is larger."""
        return np.searchsorted(self.values, values, side="right")

    @cached_property
    def order(self) -> np.ndarray:
        """The events in ascending order of their codes, null first."""
        return np.argsort(self.codes, kind="stable")

    @cached_property
    def starts(self) -> np.ndarray:
        """For each code, where its events begin in `order`; and the end."""
        counts = np.bincount(self.codes + 1, minlength=len(self.values) + 1)
        starts: np.ndarray = np.cumsum(counts)
        return starts


class EventChunk:
    """Events that are tried together, with what was computed of them for any rule."""

    def __init__(self, events: pa.Table, phrases: Mapping[str, Sequence[tuple[str, ...]]]) -> None:
        self._events, self._phrases = events, phrases
        self._codes: dict[str, FieldCodes] = {}
        self._given: dict[str, np.ndarray] = {}
        self._postings: dict[str, Postings] = {}

    def __len__(self) -> int:
        return len(self._events)

    def codes(self, field: str) -> FieldCodes:
        """The values of a field."""
        if field not in self._codes:
            self._codes[field] = FieldCodes(self._events[field])
        return self._codes[field]

    def is_given(self, field: str) -> np.ndarray:
        """Which events have a value in the field."""
        if field not in self._given:
            self._given[field] = self._events[field].is_valid().to_numpy()
        return self._given[field]

    def postings(self, field: str) -> Postings:
        """Which events have which of the rules' phrases in a field."""
        if field not in self._postings:
            self._postings[field] = postings(self._events[field], self._phrases[field])
        return self._postings[field]


def _comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column in the type in which literals.value has its literals."""
    kind = column.type
    if pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    if pa.types.is_date32(kind):
        return column.cast(pa.int32()).cast(pa.int64())
    if pa.types.is_boolean(kind):
        return column.cast(pa.int8()).cast(pa.int64())
    if pa.types.is_integer(kind):
        return column.cast(pa.int64())
    return column.cast(pa.float64()) if pa.types.is_floating(kind) else column


def _as_numpy(values: pa.Array) -> np.ndarray:
    """Numbers as such, decimals and texts as objects of Python."""
    if pa.types.is_int64(values.type) or pa.types.is_float64(values.type):
        numbers: np.ndarray = values.to_numpy()
        return numbers
    array = np.empty(len(values), object)
    array[:] = values.to_pylist()
    return array
