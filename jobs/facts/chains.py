"""Chains: rows of a key, each with a start and an end, that follow each other by less than a gap."""

import numpy as np

from jobs.facts.partials import Groups

_LARGEST = 2**62
"""A whole number below it fits into 64 bits for certain."""


def chain(keys: np.ndarray, starts: np.ndarray, ends: np.ndarray, gap: int) -> Groups:
    """Which rows belong together: those of one key of which each starts less than `gap` after the latest end of those
    before it, in order of start. The rows may be in any order, and overlap.

    The chains are in order of key and time, and the rows of a chain in order of start.
    """
    order = _order(keys, starts)
    keys, starts, ends = keys[order], starts[order], ends[order]
    begins = np.ones(len(order), bool)  # where a group begins
    begins[1:] = keys[1:] != keys[:-1]
    latest = _latest(begins, ends)
    begins[1:] |= starts[1:] - latest[:-1] >= gap
    return Groups(order, np.flatnonzero(begins))


def _order(keys: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """The rows in order of key, then of start; in half the time where both fit into one number of 64 bits."""
    first, last = (int(starts.min()), int(starts.max())) if len(starts) else (0, 0)
    span = last - first + 1
    if (int(keys.max(initial=0)) + 1) * span < _LARGEST:
        return np.argsort(keys * span + (starts - first), kind="stable")
    return np.lexsort((starts, keys))


def _latest(begins: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """For each row the greatest of the ends of its group up to this one."""
    if np.all(begins[1:] | (ends[1:] >= ends[:-1])):
        return ends
    order = np.argsort(ends)
    ranks = np.empty(len(ends), np.int64)
    ranks[order] = np.arange(len(ends))
    groups = np.cumsum(begins) * len(ends)  # ends themselves, with a distance between groups, may need over 64 bits
    latest: np.ndarray = ends[order[np.maximum.accumulate(groups + ranks) - groups]]
    return latest
