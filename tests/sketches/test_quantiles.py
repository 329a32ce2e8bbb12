"""Quantile sketches against sorted values: in one piece, merged, with the zeros that were left out."""

import math

import numpy as np
import pytest

from sketches import quantiles
from sketches.quantiles import NotAQuantileSketch, QuantileSketch

ERROR = 0.02
"""Of a rank; the paper's bound at the library's size is 1.33 % with 99 % confidence."""


def sketch_of(values: np.ndarray) -> QuantileSketch:
    sketch = QuantileSketch()
    sketch.add(values)
    return sketch


def data_of(values: np.ndarray) -> bytes:
    data = sketch_of(values).to_bytes()
    assert data is not None
    return data


def test_small_sets_are_exact() -> None:
    sketch = sketch_of(np.arange(1.0, 101))
    assert [sketch.quantile(share, 100) for share in (0.01, 0.5, 0.98, 1)] == [2, 51, 99, 100]
    assert sketch.maximum() == 100


def test_the_others_are_zero() -> None:
    """Of 20 values ten are 1 to 10, the others 0: smaller than 1 are ten of them, than 2 eleven."""
    sketch = sketch_of(np.arange(1.0, 11))
    assert [sketch.quantile(share, 20) for share in (0.1, 0.5, 0.55, 0.95, 1)] == [0, 0, 2, 10, 10]


def test_no_values() -> None:
    nothing = QuantileSketch()
    assert nothing.to_bytes() is None
    assert (nothing.quantile(0.5, 0), nothing.quantile(0.99, 7), nothing.maximum()) == (0, 0, 0)
    assert quantiles.merge([]).to_bytes() is None


@pytest.mark.parametrize("parts", [1, 40])
def test_ranks_are_near_however_the_values_were_spread(parts: int) -> None:
    values = np.random.default_rng(parts).lognormal(3, 2, 100_000)
    whole = quantiles.merge(data_of(part) for part in np.array_split(values, parts))
    ordered = np.sort(values)
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        rank = np.searchsorted(ordered, whole.quantile(share, len(values))) / len(values)
        assert math.isclose(rank, share, abs_tol=ERROR)
    assert whole.maximum() == ordered[-1]
    assert len(whole.to_bytes() or b"") < 10_000


@pytest.mark.parametrize("count", [1, 2, 200, 5_000, 300_000])
def test_bytes_that_were_cut_or_lengthened_are_refused(count: int) -> None:
    data = data_of(np.random.default_rng(count).random(count))
    assert quantiles.merge([data]).maximum() == pytest.approx(np.random.default_rng(count).random(count).max())
    for wrong in (b"", data[:7], data[:-1], data[:-8], data[: len(data) // 2], data + bytes(8), bytes(len(data))):
        with pytest.raises(NotAQuantileSketch):
            quantiles.merge([data, wrong])


def test_an_altered_head_is_refused_or_does_no_harm() -> None:
    data = data_of(np.random.default_rng(1).random(5_000))
    refused = 0
    for place in range(20 * 8):
        altered = bytearray(data)
        altered[place // 8] ^= 1 << place % 8
        try:
            quantiles.merge([bytes(altered)])
        except NotAQuantileSketch:
            refused += 1
    assert refused > 100
