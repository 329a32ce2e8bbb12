"""How the clocks of devices drift: a row for each device, from events that `clocks.correct` has corrected."""

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.decisions.clocks import Clocks, stamps
from jobs.running.errors import Mistake

MOST_POINTS = 100
"""Offsets of a device from which its drift is computed; of more, evenly spaced ones in the order of receipt."""
DAY_MICROS = 86_400 * 1_000_000

_NUMBERS = pa.schema(
    [
        pa.field("records", pa.int64(), False),
        pa.field("refusals", pa.int64(), False),
        pa.field("median_offset_seconds", pa.float64()),
        pa.field("first_offset_seconds", pa.float64()),
        pa.field("last_offset_seconds", pa.float64()),
        pa.field("drift_seconds_per_day", pa.float64()),
    ]
)


def drift_report(rows: pa.Table, clocks: Clocks, version: str | None = None) -> pa.Table:
    """How the clock of each device drifts, a row for each; with the column `version`, such as the firmware, a row for
    each device and version. Rows are sorted by these two, which are texts; null comes last.

    `rows`: events with event_time, the columns that `clocks` names, and clock_refusal. The result has `device`,
    `version` if one was given, and:

    - records; refusals: those that were not corrected.
    - median_offset_seconds: of received - sent; above zero the clock is behind. first_offset_seconds and
      last_offset_seconds: those of the first and the last receipt. Null where no record has an offset.
    - drift_seconds_per_day: by how much the offset grows in a day of receipt; above zero the clock is slow. The median
      of the slopes between any two offsets (Theil-Sen), which single long network delays hardly move. Null where there
      are no two receipts at different times.

    Raises Mistake for a column that is not there.
    """
    times = stamps(rows, clocks)
    names = [clocks.device] if version is None else [clocks.device, version]
    for name in (*names, "clock_refusal"):
        if name not in rows.column_names:
            raise Mistake(f"clocks: events have no column {name}; there are {', '.join(rows.column_names)}")
    texts = [rows[name].cast(pa.string()).combine_chunks() for name in names]
    encoded = [text.dictionary_encode(null_encoding="encode") for text in texts]
    codes = np.stack([each.indices.to_numpy() for each in encoded], axis=1)
    different, groups = np.unique(codes, axis=0, return_inverse=True)
    order = np.lexsort((times.received, groups.ravel()))
    parts = np.split(order, np.searchsorted(groups.ravel()[order], np.arange(1, len(different))))
    is_refused = rows["clock_refusal"].is_valid().to_numpy()
    report = []
    for part in parts if len(rows) else ():
        here = part[times.is_offset[part]]
        numbers = {"records": len(part), "refusals": int(is_refused[part].sum())}
        report.append(numbers | _offsets(times.received[here], times.own[here]))
    table = pa.Table.from_pylist(report, schema=_NUMBERS)
    for place, (name, each) in enumerate(zip(("device", "version"), encoded, strict=False)):
        table = table.add_column(place, name, each.dictionary.take(pa.array(different[:, place])))
    return table.sort_by([(name, "ascending") for name in table.column_names[: len(names)]])


def _offsets(received: NDArray[np.int64], offsets: NDArray[np.int64]) -> dict[str, Any]:
    """What the report has of the offsets of a device, in the order of receipt; nothing if there are none."""
    if not len(offsets):
        return {}
    return {
        "median_offset_seconds": float(np.median(offsets)) / 1e6,
        "first_offset_seconds": offsets[0] / 1e6,
        "last_offset_seconds": offsets[-1] / 1e6,
        "drift_seconds_per_day": _drift(received, offsets),
    }


def _drift(received: NDArray[np.int64], offsets: NDArray[np.int64]) -> float | None:
    """Theil-Sen: the median slope, seconds a day (Sen, "Estimates of the regression coefficient based on Kendall's
    tau", JASA 63, 1968).
    """
    points = np.unique(np.linspace(0, len(offsets) - 1, min(len(offsets), MOST_POINTS)).round().astype(np.int64))
    earlier, later = np.triu_indices(len(points), 1)
    days = (received[points[later]] - received[points[earlier]]) / DAY_MICROS
    seconds = (offsets[points[later]] - offsets[points[earlier]]) / 1e6
    apart = days > 0
    return float(np.median(seconds[apart] / days[apart])) if apart.any() else None
