"""The standard deviation of a column of numbers: `NAME_stddev`, a double. That of a sample, as `stddev` and
`stddev_samp` of SQL have it: the squares are divided by the number of values less one. Null if there are less than two.

Whole numbers and decimals: from the exact sum and the exact sum of squares, so it does not depend on how events are
cut; only the quotient and its root are rounded, by less than 3e-16, relative. A sum of squares has up to 86 digits,
more than any type: it stands in the panes as text, `NAME_stddev_squares`, in squares of the last place of the column.

Doubles: large squares are never subtracted. A group of values is gone over twice, and groups are combined by how far
their means are apart (Chan, Golub, LeVeque: "Algorithms for computing the sample variance", The American Statistician
37(3), 1983). What is new to that: the mean is kept as its distance from one of the values, the greatest
(`NAME_stddev_pivot`, `NAME_stddev_distance`), so the rounding of a large mean does not count; and the sum of squared
distances from it (`NAME_stddev_squares`). Of n values it is right within n * 1e-15, relative, however they are cut and
whatever is added to them all. Values that are all the same have 0, to the bit. A NaN or an infinite value makes it NaN.
It is infinite where the sum of the squared distances is more than 1.8e308.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from pyspark.sql.types import DataType, DecimalType, DoubleType, FractionalType, StringType, StructField, StructType

from jobs.facts import partials
from jobs.facts.partials import Groups, PaneColumn
from jobs.facts.statistics import total


class _Chan:
    """Combines rows of number, pivot, distance (of the mean from the pivot) and sum of squared distances from the mean.

    A number of 0 is nothing. The sum is NaN if, and only if, a value is infinite or NaN.
    """

    def __call__(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        pairs = np.stack([one, other], axis=1)  # each two rows are a group
        return self.reduceat(pairs.reshape(-1, one.shape[1]), np.arange(0, 2 * len(one), 2))

    def reduceat(self, values: np.ndarray, starts: np.ndarray) -> np.ndarray:
        numbers, pivots, distances, squares = values.T
        none, lengths = numbers == 0, np.diff(np.append(starts, len(values)))
        totals = np.add.reduceat(numbers, starts)

        def mean(values: np.ndarray) -> np.ndarray:
            return np.add.reduceat(numbers * values, starts) / np.maximum(totals, 1)

        with np.errstate(over="ignore", invalid="ignore"):
            pivot = np.maximum.reduceat(np.where(none, -np.inf, pivots), starts)
            far = np.where(none, 0.0, pivots - np.repeat(pivot, lengths) + distances)
            distance = mean(far)
            distance += mean(far - np.repeat(distance, lengths))  # adds what the first mean was rounded by
            apart = numbers * (far - np.repeat(distance, lengths)) ** 2
            sums = np.add.reduceat(squares + np.where(none, 0.0, apart), starts)
        broken = np.logical_or.reduceat(np.isnan(squares), starts)
        sums = np.where(broken, np.nan, np.where(np.isnan(sums), np.inf, sums))
        distance = np.where(np.isfinite(distance), distance, 0.0)
        return np.column_stack([totals, np.where(totals == 0, 0.0, pivot), distance, sums])


@dataclass(frozen=True)
class Deviation:
    """The standard deviation of the values of `column`."""

    column: str
    is_optional = False

    @property
    def _mean(self) -> tuple[str, str]:
        return f"{self.column}_stddev_pivot", f"{self.column}_stddev_distance"

    @property
    def _squares(self) -> str:
        return f"{self.column}_stddev_squares"

    def fault(self, kind: DataType) -> str | None:
        """Only of numbers."""
        return total.fault("deviations", self.column, kind)

    def pane_columns(self, kinds: StructType) -> list[StructField]:
        """Number of the values, and their sum or mean, and squares."""
        kind, count = kinds[self.column].dataType, total.count_column(self.column)
        if isinstance(kind, FractionalType) and not isinstance(kind, DecimalType):
            return [count, *(StructField(name, DoubleType()) for name in (*self._mean, self._squares))]
        return [count, *total.sum_columns(self.column, kind), StructField(self._squares, StringType())]

    def from_events(self, events: pa.Table, groups: Groups, target: pa.Schema) -> dict[str, PaneColumn]:
        """Each event has its value."""
        values = events[self.column].combine_chunks()
        if self._mean[0] not in target.names:
            columns = total.from_events(self.column, events, groups, target)
            return columns | {self._squares: groups.combine(_squares_column(values))}
        numbers = values.is_valid().to_numpy(zero_copy_only=False).astype(np.float64)
        doubles = values.cast(pa.float64()).fill_null(0.0).to_numpy(zero_copy_only=False)
        with np.errstate(invalid="ignore"):
            broken = doubles - doubles  # 0, or NaN for infinite values and NaN
        rows = np.column_stack([numbers, doubles, np.zeros(len(values)), broken])
        return total.counts_from_events(self.column, events, groups) | {
            self._squares: groups.combine(_distances_column(rows))
        }

    def from_panes(self, panes: pa.Table) -> dict[str, PaneColumn]:
        """Number of the values, and their sum or mean, and squares."""
        squares = panes[self._squares].combine_chunks()
        if self._mean[0] not in panes.column_names:
            exact = partials.object_array([int(text or 0) for text in squares.to_pylist()])
            return total.from_panes(self.column, panes) | {self._squares: PaneColumn(exact, np.add, 0, pa.string())}
        columns = [panes[name].cast(pa.float64()) for name in (f"{self.column}_count", *self._mean, self._squares)]
        rows = np.column_stack([column.fill_null(0.0).to_numpy() for column in columns])
        return total.counts_from_panes(self.column, panes) | {self._squares: _distances_column(rows)}

    def to_panes(self, columns: Mapping[str, PaneColumn], target: pa.Schema) -> dict[str, pa.Array]:
        """Number of the values, and their sum or mean, and squares; null if there is none."""
        none, squares = total.is_none(self.column, columns), columns[self._squares]
        if self._mean[0] not in target.names:
            texts = [None if empty else str(value) for value, empty in zip(squares.values.tolist(), none, strict=True)]
            return total.to_panes(self.column, columns, target.names) | {self._squares: pa.array(texts, pa.string())}
        stored = zip((*self._mean, self._squares), squares.values.T[1:], strict=True)
        doubles = {name: pa.array(values, pa.float64(), mask=none) for name, values in stored}
        return total.counts_to_panes(self.column, columns) | doubles

    def window_columns(self, kinds: StructType) -> list[StructField]:
        """The deviation."""
        return [StructField(f"{self.column}_stddev", DoubleType())]

    def finish(self, columns: Mapping[str, PaneColumn], length: int) -> dict[str, pa.Array]:
        """The deviation."""
        counts, squares = columns[f"{self.column}_count"].values, columns[self._squares]
        few = counts < 2
        if squares.values.ndim == 2:
            deviations = np.sqrt(squares.values[:, 3] / np.where(few, 1, counts - 1))
        else:
            deviations = _exact_deviations(counts, columns[f"{self.column}_sum"], squares.values)
        return {f"{self.column}_stddev": pa.array(deviations, pa.float64(), mask=few)}

    def comments(self, comment: str) -> dict[str, str]:
        """Of the deviation."""
        return {f"{self.column}_stddev": f"Standard deviation (of a sample) of: {comment}"}


def _distances_column(rows: np.ndarray) -> PaneColumn:
    """Rows as _Chan combines them."""
    return PaneColumn(rows, _Chan(), 0.0, pa.float64())


def _squares_column(values: pa.Array) -> PaneColumn:
    """The squares of whole numbers, or of the last places of decimals; 0 for null."""
    kind = values.type if pa.types.is_decimal(values.type) else pa.decimal128(30, 0)
    numbers = partials.summands(values, kind).values
    largest = float(np.abs(numbers.astype(np.float64)).max(initial=0))
    if largest * largest * len(numbers) >= 2**62:  # else no sum of squares can overflow 64 bits
        numbers = numbers.astype(object)
    return PaneColumn(numbers * numbers, np.add, 0, pa.string())


def _exact_deviations(counts: np.ndarray, sums: PaneColumn, squares: np.ndarray) -> np.ndarray:
    """The deviation of each group of two values or more; anything for the others."""
    scale = 10 ** (2 * sums.kind.scale) if pa.types.is_decimal(sums.kind) else 1
    groups = zip(counts.tolist(), sums.values.tolist(), squares.tolist(), strict=True)
    deviations = [math.sqrt((n * q - s * s) / (n * (n - 1) * scale)) if n > 1 else 0.0 for n, s, q in groups]
    return np.array(deviations, np.float64)
