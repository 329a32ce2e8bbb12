"""Two sets of rows compared without holding either: counts and checksums of groups of keys, and then the rows of those
groups alone that differ.

A group is a range of the hash of the key. Ranges of the key itself would need one order of texts in PostgreSQL, whose
collations differ, and here.
"""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

GROUPS = 4096
_SHIFT = np.uint64(64 - 12)
MOST_ROWS = 200_000
"""Rows of groups that differ which are compared one by one; of each side."""


@dataclass
class GroupTotals:
    """Of each group, how many rows there are, and the sum of their hashes."""

    counts: np.ndarray = field(default_factory=lambda: np.zeros(GROUPS, np.int64))
    sums: np.ndarray = field(default_factory=lambda: np.zeros(GROUPS, np.uint64))

    def add(self, rows: pa.Table, key_columns: int) -> None:
        """Count rows of texts, whose first columns are the key."""
        groups = groups_of(rows, key_columns)
        np.add.at(self.counts, groups, 1)
        np.add.at(self.sums, groups, _hashes(rows.columns))

    def unlike(self, other: "GroupTotals") -> np.ndarray:
        """The groups in which they differ."""
        return np.flatnonzero((self.counts != other.counts) | (self.sums != other.sums))


def first_groups(groups: np.ndarray, *sides: GroupTotals) -> np.ndarray:
    """So many of the groups as have MOST_ROWS rows, at least one if there is any."""
    if not len(groups):
        return groups
    largest = np.max([np.cumsum(side.counts[groups]) for side in sides], axis=0)
    return groups[: max(1, int(np.searchsorted(largest, MOST_ROWS, side="right")))]


def groups_of(rows: pa.Table, key_columns: int) -> np.ndarray:
    """The group of each row."""
    return (_hashes(rows.columns[:key_columns]) >> _SHIFT).astype(np.int64)


def _hashes(columns: list[pa.ChunkedArray]) -> np.ndarray:
    """Of each row. PostgreSQL has no text with a zero, which separates the columns here."""
    marked = [pc.fill_null(pc.binary_join_element_wise("v", column, ""), "n") for column in columns]
    joined = pc.binary_join_element_wise(*marked, "\0") if len(marked) > 1 else marked[0]
    return np.array([xxhash.xxh3_64_intdigest(text) for text in joined.cast(pa.binary()).to_pylist()], np.uint64)


MISSING, ADDITIONAL, DIFFERENT, DOUBLED = "missing", "additional", "different", "doubled"


@dataclass(frozen=True)
class Difference:
    """A key whose row is not that of the database."""

    kind: str
    """Of the result, compared with the database: its row is missing, additional, different, or there more than once."""
    key: tuple[str | None, ...]
    columns: tuple[str, ...]
    """Those that are different."""
    hashes: tuple[int | None, int | None]
    """Of the row in the database and of that in the result: the same difference has the same."""


def differences(database: pa.Table, result: pa.Table, key_columns: int) -> list[Difference]:
    """How the rows of the result differ from those of the database, in the same columns of texts."""
    ours, theirs = (_places(rows, key_columns) for rows in (result, database))
    our_hashes, their_hashes = (_hashes(rows.columns).tolist() for rows in (result, database))
    found = []
    for key in theirs.keys() | ours.keys():
        here, there = ours.get(key, []), theirs.get(key, [])
        hashes = (their_hashes[there[0]] if there else None, our_hashes[here[0]] if here else None)
        if len(here) > 1:
            found.append(Difference(DOUBLED, key, (), hashes))
        elif not here or not there:
            found.append(Difference(ADDITIONAL if here else MISSING, key, (), hashes))
        elif hashes[0] != hashes[1]:
            names = result.column_names[key_columns:]
            unlike = tuple(name for name in names if result[name][here[0]].as_py() != database[name][there[0]].as_py())
            found.append(Difference(DIFFERENT, key, unlike, hashes))
    return sorted(found, key=lambda one: (one.kind, [text or "" for text in one.key]))


def _places(rows: pa.Table, key_columns: int) -> dict[tuple[str | None, ...], list[int]]:
    found: dict[tuple[str | None, ...], list[int]] = {}
    for place, key in enumerate(zip(*(column.to_pylist() for column in rows.columns[:key_columns]), strict=True)):
        found.setdefault(key, []).append(place)
    return found
