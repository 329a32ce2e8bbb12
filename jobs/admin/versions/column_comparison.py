"""The values of two columns, row by row: which are equal, and by how much numbers differ at most."""

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import total_ordering
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MOST_DIGITS = 76
"""Of Arrow's longest decimals."""


@total_ordering
@dataclass(frozen=True)
class Largest:
    """The largest absolute difference between two numbers; None: there are no two numbers."""

    value: Decimal | float | None = None

    def __lt__(self, other: "Largest") -> bool:
        if self.value is None or other.value is None:
            return self.value is None and other.value is not None
        return bool(self.value < other.value)


def are_comparable(one: pa.DataType, other: pa.DataType) -> bool:
    """Whether values of these types can be compared: of one type, or two of numbers."""
    return bool(one == other or (_is_number(one) and _is_number(other)))


def are_equal(one: pa.ChunkedArray, other: pa.ChunkedArray, tolerance: float) -> np.ndarray:
    """Which rows are equal: null is null, and NaN is NaN; floating-point numbers by `tolerance` of the larger one."""
    a, b = one.combine_chunks(), other.combine_chunks()
    if pa.types.is_nested(a.type):  # Arrow compares no lists and structs
        return np.fromiter(
            (_plain(x) == _plain(y) for x, y in zip(a.to_pylist(), b.to_pylist(), strict=True)), bool, len(a)
        )
    is_exact = not (pa.types.is_floating(a.type) or pa.types.is_floating(b.type))
    same = pc.fill_null(pc.equal(*(_as_decimals(a, b) if is_exact and a.type != b.type else (a, b))), False)
    same = pc.or_(same, pc.and_(pc.is_null(a, nan_is_null=False), pc.is_null(b, nan_is_null=False)))
    equal: np.ndarray = same.to_numpy(zero_copy_only=False)
    if not is_exact:
        x, y = (pc.fill_null(each.cast(pa.float64()), math.inf).to_numpy() for each in (a, b))
        both = (pc.and_(a.is_valid(), b.is_valid())).to_numpy(zero_copy_only=False)
        equal |= both & np.isnan(x) & np.isnan(y)
        finite = both & np.isfinite(x) & np.isfinite(y)
        with np.errstate(invalid="ignore", over="ignore"):
            equal |= finite & (np.abs(x - y) <= tolerance * np.maximum(np.abs(x), np.abs(y)))
    return equal


def _plain(value: Any) -> Any:
    """A nested value in which NaN equals NaN."""
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def largest_difference(one: pa.ChunkedArray, other: pa.ChunkedArray) -> Largest:
    """Between the numbers of two columns; NaN and null are none. Whole numbers and decimals to all digits."""
    if not (_is_number(one.type) and _is_number(other.type)):
        return Largest()
    if pa.types.is_floating(one.type) or pa.types.is_floating(other.type):
        with np.errstate(invalid="ignore", over="ignore"):
            parts = [pc.fill_null(each.cast(pa.float64()), math.nan).to_numpy() for each in (one, other)]
            apart = np.abs(parts[0] - parts[1])
        apart = apart[~np.isnan(apart)]
        return Largest(float(apart.max()) if len(apart) else None)
    return Largest(pc.max(pc.abs(pc.subtract(*_as_decimals(one, other)))).as_py())


def _as_decimals(one: Any, other: Any) -> tuple[Any, Any]:
    """Columns of whole numbers or decimals in a type that has all values of both, and their differences."""
    scale = max(each.type.scale if pa.types.is_decimal(each.type) else 0 for each in (one, other))
    return one.cast(pa.decimal256(MOST_DIGITS - 1, scale)), other.cast(pa.decimal256(MOST_DIGITS - 1, scale))


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))
