"""Quantile sketches against sorted values: in one piece, merged, with the zeros that were left out, and from KLL."""

import numpy as np
import pytest
from datasketches import kll_doubles_sketch

from sketches import quantiles
from sketches.quantiles import NotAQuantileSketch, QuantileSketch

ERROR = 0.01
"""Of a value."""
KLL_ERROR = 0.02
"""Of a rank, in a KLL sketch: the paper's bound at the library's size is 1.33 % with 99 % confidence."""


def sketch_of(values: np.ndarray) -> QuantileSketch:
    sketch = QuantileSketch()
    sketch.add(values)
    return sketch


def data_of(values: np.ndarray) -> bytes:
    data = sketch_of(values).to_bytes()
    assert data is not None
    return data


def kll_of(values: np.ndarray) -> bytes:
    """As versions up to 0.3.0 wrote them."""
    made = kll_doubles_sketch()
    made.update(values)
    return bytes(made.serialize())


def test_the_smallest_value_that_a_share_does_not_exceed() -> None:
    """Of 1 to 100, half are at most 50."""
    sketch = sketch_of(np.arange(1.0, 101))
    found = [sketch.quantile(share, 100) for share in (0.01, 0.5, 0.98, 0.981, 1)]
    assert found == pytest.approx([1, 50, 98, 99, 100], rel=ERROR)


def test_the_others_are_zero() -> None:
    """Of 20 values ten are 1 to 10, the others 0."""
    sketch = sketch_of(np.arange(1.0, 11))
    found = [sketch.quantile(share, 20) for share in (0.1, 0.5, 0.55, 0.95, 1)]
    assert found == pytest.approx([0, 0, 1, 9, 10], rel=ERROR)


def test_no_values() -> None:
    nothing = QuantileSketch()
    assert nothing.to_bytes() is None
    assert (nothing.quantile(0.5, 0), nothing.quantile(0.99, 7)) == (0, 0)
    assert quantiles.merge([]).to_bytes() is None
    assert quantiles.merge([kll_of(np.empty(0))]).to_bytes() is None


@pytest.mark.parametrize("parts", [1, 40, 600])
def test_however_the_values_were_spread_the_bytes_are_the_same(parts: int) -> None:
    values = np.random.default_rng(1).lognormal(3, 2, 60_000)
    whole = quantiles.merge(data_of(part) for part in np.array_split(values, parts))
    assert whole.to_bytes() == data_of(np.random.default_rng(2).permutation(values))
    ordered = np.sort(values)
    for share in (0.01, 0.25, 0.5, 0.9, 0.99):
        assert whole.quantile(share, len(values)) == pytest.approx(ordered[round(share * len(values)) - 1], rel=ERROR)
    assert len(whole.to_bytes() or b"") < 10_000


@pytest.mark.parametrize("count", [1, 150, 20_000])
def test_kll_sketches_are_merged_without_drawing_lots(count: int) -> None:
    rng = np.random.default_rng(count)
    parts = [rng.lognormal(6, 2, count) for _ in range(5)]
    sketches = [kll_of(part) for part in parts[:4]] + [data_of(parts[4])]
    merged = quantiles.merge(sketches)
    assert {quantiles.merge(sketches).to_bytes() for _ in range(5)} == {merged.to_bytes()}
    ordered = np.sort(np.concatenate(parts))
    for share in (0.25, 0.5, 0.9, 0.99):
        found = merged.quantile(share, len(ordered))
        low, high = np.searchsorted(ordered, [found / (1 + ERROR), found * (1 + ERROR)], side="left")
        assert low / len(ordered) - KLL_ERROR <= share <= high / len(ordered) + KLL_ERROR + 1 / len(ordered)


@pytest.mark.parametrize("count", [1, 2, 200, 5_000, 300_000])
def test_bytes_that_were_cut_or_lengthened_are_refused(count: int) -> None:
    values = np.random.default_rng(count).random(count)
    histogram, data = data_of(values), kll_of(values)
    of_histogram = (histogram[:-1], histogram + b"\0", bytes(len(histogram)))
    for wrong in (b"", data[:7], data[:-1], data[:-8], data[: len(data) // 2], data + bytes(8), *of_histogram):
        with pytest.raises(NotAQuantileSketch):
            quantiles.merge([data, wrong])


def test_an_altered_head_is_refused_or_does_no_harm() -> None:
    data = kll_of(np.random.default_rng(1).random(5_000))
    refused = 0
    for place in range(20 * 8):
        altered = bytearray(data)
        altered[place // 8] ^= 1 << place % 8
        try:
            quantiles.merge([bytes(altered)])
        except NotAQuantileSketch:
            refused += 1
    assert refused > 100
