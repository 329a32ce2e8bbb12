"""In which times another version of a row is valid than before a publish."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.answers.changes.version_rows import NEVER
from jobs.answers.versions import VALID_FROM, VALID_TO, Versions
from jobs.publishing import event_difference
from jobs.publishing.event_difference import places_among


@dataclass(frozen=True)
class Spans:
    """Times [begins, ends) in microseconds since 1970, and the keys of the versions."""

    keys: pa.Table
    begins: np.ndarray
    ends: np.ndarray


def spans(before: pa.Table, now: pa.Table, answer: Versions) -> Spans:
    """The spans in which these versions of the same keys differ. Of a version that only ends at another time that is
    the time between the two ends.
    """
    differs = event_difference.compare(_without_end(before), _without_end(now), answer.row_key)
    changed = [places_among(rows, differs, answer.row_key) >= 0 for rows in (before, now)]
    at = places_among(now, before, answer.row_key)
    ends_now, ends_before = _ends(now), np.append(_ends(before), NEVER)[at]
    other_end = ~changed[1] & (ends_now != ends_before)
    begins = np.concatenate(
        [_begins(before)[changed[0]], _begins(now)[changed[1]], np.minimum(ends_now, ends_before)[other_end]]
    )
    ends = np.concatenate(
        [_ends(before)[changed[0]], ends_now[changed[1]], np.maximum(ends_now, ends_before)[other_end]]
    )
    rows = [before.filter(pa.array(changed[0])), now.filter(pa.array(changed[1])), now.filter(pa.array(other_end))]
    keys = pa.concat_tables([part.select(answer.key) for part in rows])
    lasting = np.flatnonzero(ends > begins)
    return Spans(keys.take(pa.array(lasting)), begins[lasting], ends[lasting])


def _without_end(rows: pa.Table) -> pa.Table:
    return rows.drop_columns([VALID_TO])


def _begins(rows: pa.Table) -> np.ndarray:
    found: np.ndarray = rows[VALID_FROM].cast(pa.int64()).to_numpy()
    return found


def _ends(rows: pa.Table) -> np.ndarray:
    found: np.ndarray = pc.fill_null(rows[VALID_TO].cast(pa.int64()), NEVER).to_numpy()
    return found
