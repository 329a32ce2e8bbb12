"""Percentiles of a column of numbers: `NAME_p50`, `NAME_p95` and so on, as doubles. Null if there is no value.

A percentile is the smallest value that at least this share of the values do not exceed (`percentile_disc` in SQL). The
published number is within 1 % of it, and the same however the log is cut. sketches/log_histogram.py says how, and that
magnitudes below 1e-300 count as zero. Whole numbers and decimals are taken as the nearest double, so their
percentiles are seldom whole. NaN and infinite values do not come from records, which are put in quarantine for them; if
a transform makes some, they count as larger than all numbers (or smaller: -inf), NaN as the largest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
from pyspark.sql.types import BinaryType, DataType, DoubleType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics import total
from jobs.running.errors import Mistake
from sketches import log_histogram

SharesByColumn = tuple[tuple[str, tuple[float, ...]], ...]
"""Columns, each with the shares of which percentiles are published: (("delay", (0.5, 0.95)),)."""
MOST_DECIMALS = 6
"""Digits of a share after the point."""


def shares_by_column(given: Mapping[str, Sequence[float]] | SharesByColumn) -> SharesByColumn:
    """What an author has written, such as {"delay": (0.5, 0.95)}, as a value that does not change any more.

    Raises Mistake if it is not that, or a share is not between 0 and 1.
    """
    pairs = given.items() if isinstance(given, Mapping) else given
    try:
        found = tuple((str(column), tuple(shares)) for column, shares in pairs)
    except (TypeError, ValueError) as error:
        raise Mistake(
            'percentiles takes a dictionary of columns with their shares: percentiles={"delay": (0.5, 0.95)}'
        ) from error
    for column, shares in found:
        wrong = [share for share in shares if not _is_share(share)]
        if wrong or not shares or len(set(shares)) < len(shares):
            what = (
                f"of {column} has {wrong[0]!r}" if wrong else f"of {column} names {'one twice' if shares else 'none'}"
            )
            raise Mistake(
                f"percentiles {what}. Write different shares between 0 and 1, of at most {MOST_DECIMALS} digits, such "
                "as 0.95; minimum and maximum are in averages"
            )
    return tuple((column, tuple(map(float, shares))) for column, shares in found)


def _is_share(share: object) -> bool:
    return isinstance(share, float) and 0 < share < 1 and round(share, MOST_DECIMALS) == share


class _Merge:
    """Combines histograms, as bytes; None is the histogram of nothing."""

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        pairs = np.stack([one, other], axis=1).ravel()
        return self.reduceat(pairs, np.arange(0, len(pairs), 2))

    def reduceat(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        present = ~_is_none(values)
        counts = np.add.reduceat(present.astype(np.int64), starts) if len(starts) else starts
        firsts = np.flatnonzero(present)[np.cumsum(counts[counts > 0]) - counts[counts > 0]]
        merged = np.full(len(starts), None, object)
        merged[counts > 0] = values[firsts]
        several = counts > 1  # one histogram alone is given back as it is
        inside = values[present & np.repeat(several, np.diff(starts, append=len(values)))]
        begins = np.cumsum(counts[several]) - counts[several]
        merged[several] = partials.object_array(log_histogram.merge_groups(inside.tolist(), begins))
        return merged


@dataclass(frozen=True)
class Percentiles:
    """Percentiles of the values of `column`, one for each of the `shares`."""

    column: str
    shares: tuple[float, ...]
    is_optional = False

    @property
    def _histogram(self) -> str:
        return f"{self.column}_histogram"

    def _name(self, share: float) -> str:
        """0.5 is p50, and 0.999 is p99_9: a point could not stand in the name of a column."""
        return f"{self.column}_p{_percent(share).replace('.', '_')}"

    def fault(self, kind: DataType) -> str | None:
        """Only of numbers."""
        return total.fault("percentiles", self.column, kind)

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """The histogram."""
        return [StructField(self._histogram, BinaryType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """A histogram of the values of each group."""
        values = events[self.column].combine_chunks().cast(pa.float64(), safe=False)
        valid = values.is_valid().to_numpy(zero_copy_only=False)[groups.order]
        numbers = np.repeat(np.arange(len(groups.begins)), np.diff(groups.begins, append=len(groups.order)))[valid]
        doubles = values.fill_null(0.0).to_numpy()[groups.order][valid]
        return {self._histogram: _column(log_histogram.histogram_groups(doubles, numbers, len(groups.begins)))}

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """The histogram."""
        return {self._histogram: _column(panes[self._histogram].to_pylist())}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """The histogram; null if there is no value."""
        return {self._histogram: pa.array(columns[self._histogram].values, pa.binary())}

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The percentiles."""
        return [StructField(self._name(share), DoubleType()) for share in self.shares]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The percentiles."""
        histograms = columns[self._histogram].values
        none = _is_none(histograms)
        found = log_histogram.quantiles(histograms.tolist(), [Fraction(str(share)) for share in self.shares])
        return {
            self._name(share): pa.array(values, pa.float64(), mask=none)
            for share, values in zip(self.shares, found, strict=True)
        }

    def comments(self, comment: str) -> dict[str, str]:
        """Of the percentiles."""
        return {
            self._name(share): f"{_percent(share)} % of the values are not larger (within 1 %): {comment}"
            for share in self.shares
        }


def _percent(share: float) -> str:
    return f"{(Decimal(str(share)) * 100).normalize():f}"


def _column(histograms: list[bytes | None]) -> PaneColumn:
    return PaneColumn(partials.object_array(histograms), _Merge(), None, pa.binary())


def _is_none(histograms: np.ndarray) -> np.ndarray:
    return np.array([histogram is None for histogram in histograms.tolist()], bool)
