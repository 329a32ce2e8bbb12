"""Which version was valid at a time: for many keys and times at once."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes.version_rows import NEVER
from jobs.answers.versions import VALID_FROM, VALID_TO
from jobs.facts import partials


def places(events: pa.Table, by: tuple[str, ...], versions: pa.Table, key: tuple[str, ...]) -> np.ndarray:
    """For each event the row of the version that was valid at its `event_time`, or -1: that whose columns `key` are the
    event's columns `by`. Null equals nothing.
    """
    found = np.full(len(events), -1)
    if not len(events) or not len(versions):
        return found
    of_versions = versions.select(key)
    asked = events.select(by).rename_columns(key).cast(of_versions.schema)
    codes = np.unique(partials.group_keys(pa.concat_tables([asked, of_versions]), key), return_inverse=True)[1]
    begins = versions[VALID_FROM].cast(pa.int64()).to_numpy()
    ends = pc.fill_null(versions[VALID_TO].cast(pa.int64()), NEVER).to_numpy()
    ever_valid = np.flatnonzero(ends > begins)
    times = events["event_time"].cast(pa.int64()).to_numpy()
    at = _last_begun(codes[len(events) :][ever_valid], begins[ever_valid], codes[: len(events)], times)
    rows = ever_valid[at]
    is_valid = (at >= 0) & (times < ends[rows])
    for name in by:
        is_valid &= pc.is_valid(events[name]).to_numpy()
    found[is_valid] = rows[is_valid]
    return found


def _last_begun(codes: np.ndarray, begins: np.ndarray, asked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """For each code that is asked for, with a time, the last of the same code that had begun by then, or -1. Its rows
    are sorted together with those that are asked for: at the same time a version comes before an event.
    """
    together = np.concatenate([codes, asked])
    is_asked = np.repeat([False, True], [len(codes), len(asked)])
    in_order = np.lexsort((is_asked, np.concatenate([begins, times]), together))
    places = np.where(is_asked[in_order], -1, np.arange(len(in_order)))
    last = np.maximum.accumulate(places)
    found = np.full(len(asked), -1)
    of_asked = np.flatnonzero(is_asked[in_order])
    rows = in_order[last[of_asked]]
    same = (last[of_asked] >= 0) & (together[rows] == together[in_order[of_asked]])
    found[in_order[of_asked] - len(codes)] = np.where(same, rows, -1)
    return found
