"""Times that are written without a zone, as instants: by the same rule as Java, and so as Spark, has.

A local time that a clock shows twice, when it is set back, is the first of the two. One that no clock shows, as it is
set forward then, is as if it had not been set forward yet: 02:30 of that night in Berlin is 01:30 UTC.
"""

from datetime import datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

SLOT_MICROS = 15 * 60 * 1_000_000
"""Offsets from UTC are looked up once for each quarter of an hour in which they are the same from its start to its end;
clocks are set at such times, in practice."""
FROM_MICROS = 24 * 3600 * 1_000_000
UNTIL_MICROS = 2_114_380_800_000_000
"""From 1970-01-02 to 2037-01-01 every library has the same offsets, given the same release of the time zones."""
_START = datetime(1970, 1, 1)


def utc_micros(local: pa.Array, zone: str) -> pa.Array:
    """Microseconds since 1970 of local times in `zone`, given as if they were of UTC; null where there is none, and out
    of the years in which libraries agree.
    """
    known = local.is_valid().to_numpy(zero_copy_only=False)
    micros = local.fill_null(0).to_numpy()
    known &= (micros >= FROM_MICROS) & (micros < UNTIL_MICROS)
    inside = np.where(known, micros, FROM_MICROS)
    slots, places = np.unique(inside // SLOT_MICROS, return_inverse=True)
    offsets = np.array([_slot_offset(zone, int(slot)) for slot in slots], np.float64)[places]
    for place in np.flatnonzero(np.isnan(offsets)):
        offsets[place] = _offset(zone, int(inside[place]))
    return pa.array(inside - offsets.astype(np.int64), pa.int64(), mask=~known)


@lru_cache(100_000)
def _slot_offset(zone: str, slot: int) -> float:
    """Microseconds by which the zone is ahead of UTC in a quarter of an hour; NaN if that changes within."""
    first = _offset(zone, slot * SLOT_MICROS)
    return float(first) if _offset(zone, (slot + 1) * SLOT_MICROS - 1) == first else float("nan")


def _offset(zone: str, local_micros: int) -> int:
    moment = (_START + timedelta(microseconds=local_micros)).replace(tzinfo=ZoneInfo(zone))
    offset = moment.utcoffset()
    assert offset is not None
    return offset // timedelta(microseconds=1)
