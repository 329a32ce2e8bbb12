"""The last offsets of each device, as windows that end with each of its records: no loop over records or devices."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

FAR = 2**62
"""Stands in a window where there is no offset; larger than any."""
BLOCK_RECORDS = 32_768
"""Windows that are made at once: 8 MiB, of 31 offsets each."""

STATE = pa.schema(
    [
        pa.field("partition", pa.int32(), False),
        pa.field("device", pa.string(), False),
        pa.field("offsets", pa.list_(pa.int64()), False),
    ]
)
"""What is remembered: the last offsets of each device in each partition, microseconds, the oldest first. A row for each
device that has ever had one, with 8 bytes for each offset."""


def latest(rows: pa.Table) -> pa.Table:
    """Of several rows of a device in a partition the last one; the others stay in their order. `rows`: in the columns
    of STATE, and perhaps more.
    """
    devices = rows["device"].combine_chunks().dictionary_encode()
    keys = rows["partition"].to_numpy().astype(np.int64) * max(1, len(devices.dictionary)) + devices.indices.to_numpy()
    _, from_the_end = np.unique(keys[::-1], return_index=True)
    return rows.take(pa.array(np.sort(len(keys) - 1 - from_the_end)))


class OffsetSeries:
    """The offsets of the devices of a batch, one device after the other, each in the order of the log."""

    def __init__(
        self,
        partitions: NDArray[np.int32],
        log_offsets: NDArray[np.int64],
        devices: pa.Array,
        offsets: NDArray[np.int64],
        state: pa.Table,
    ) -> None:
        """Of each record with an offset of its device's clock (`offsets`, microseconds): its place in the log, and the
        device, a text. `state`: the STATE before these records.
        """
        encoded = devices.dictionary_encode()
        self._devices, self._width = encoded.dictionary, max(1, len(encoded.dictionary))
        keys = partitions.astype(np.int64) * self._width + encoded.indices.to_numpy()
        self._keys, groups = np.unique(keys, return_inverse=True)
        in_order = np.lexsort((log_offsets, groups))
        before_groups, before = self._before(state)
        all_groups = np.concatenate([before_groups, groups[in_order]])
        order = np.argsort(all_groups, kind="stable")  # a device's earlier offsets stay before its new ones
        self._groups = all_groups[order]
        self._offsets = np.concatenate([before, offsets[in_order]])[order]
        self._records = np.concatenate([np.full(len(before), -1), in_order])[order]
        self._starts, self._ends = (
            np.searchsorted(self._groups, np.arange(len(self._keys)), side=side) for side in ("left", "right")
        )

    def _before(self, state: pa.Table) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The group and the value of each offset before these records."""
        codes = pc.index_in(state["device"], value_set=self._devices).fill_null(-1).to_numpy()
        keys = state["partition"].to_numpy().astype(np.int64) * self._width + codes
        is_here = (codes >= 0) & np.isin(keys, self._keys)
        lists = state["offsets"].filter(pa.array(is_here)).combine_chunks()
        lengths = lists.value_lengths().to_numpy().astype(np.int64)
        groups = np.searchsorted(self._keys, keys[is_here]).astype(np.int64)
        return np.repeat(groups, lengths), lists.flatten().to_numpy()

    def windows(self, size: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
        """Block by block: some of the records, by their number, in any order; for each the last `size` offsets of its
        device, its own included, in rising order, then FAR where there are fewer; and how many there are.
        """
        if not len(self._keys):
            return
        padded = np.concatenate([np.full(size - 1, FAR), self._offsets])
        ending_with = np.lib.stride_tricks.sliding_window_view(padded, size)
        counts = np.minimum(np.arange(len(self._groups)) - self._starts[self._groups] + 1, size)
        places = np.flatnonzero(self._records >= 0)
        for first in range(0, len(places), BLOCK_RECORDS):
            block = places[first : first + BLOCK_RECORDS]
            windows = ending_with[block]  # a copy
            windows[np.arange(size) < size - counts[block, np.newaxis]] = FAR
            windows.sort(axis=1)
            yield self._records[block], windows, counts[block]

    def changed_state(self, size: int) -> pa.Table:
        """The STATE of the devices of these records after them, with at most `size` offsets of each."""
        is_last = self._ends[self._groups] - np.arange(len(self._groups)) <= size
        lengths = np.minimum(self._ends - self._starts, size)
        edges = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int32())
        columns = [
            pa.array(self._keys // self._width, pa.int32()),
            self._devices.take(pa.array(self._keys % self._width)),
            pa.ListArray.from_arrays(edges, pa.array(self._offsets[is_last])),
        ]
        return pa.Table.from_arrays(columns, schema=STATE)
