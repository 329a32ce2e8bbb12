"""Events get the columns of clocks.COLUMNS: a step for all partitions of a batch, and the offsets that it remembers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import (
    BooleanType,
    DoubleType,
    NumericType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.decisions import clocks as clocks_module
from jobs.decisions.clocks import REQUEUED, Clocks
from jobs.decisions.decision import StateKind
from jobs.decisions.offset_series import STATE, latest
from jobs.events import task_facts
from jobs.events.arrow_step import ArrowStep
from jobs.events.stream_time import StreamTime
from jobs.events.task_facts import FactAccumulator, Facts
from jobs.running.errors import Mistake
from schemas import clocks as clocks_schema

BLOCK_RECORDS = 65_536
"""Events that are corrected at once: for each block the state of all devices is gone through."""
FEW_ROWS = 1_000
"""So many rows of state may be stored, however few devices there are."""

COLUMNS = StructType(
    [
        StructField(name, kind, True, {"comment": comment})
        for name, kind, comment in (
            ("corrected_time", TimestampType(), "When the event happened by the server's clock, UTC."),
            ("clock_offset_seconds", DoubleType(), "What was added to event_time; null if it was not corrected."),
            ("clock_method", StringType(), "median: of the device's last offsets; own: of this record alone; none."),
            ("clock_confidence", DoubleType(), "Share of the window that agrees with the offset: 0 to 1."),
            ("clock_refusal", StringType(), "Why event_time was not corrected; null if it was."),
        )
    ]
)
"""The columns of clocks.COLUMNS, as a table has them."""


@dataclass(frozen=True)
class CorrectedTimes:
    """The decision (see decision.py) when an event happened by the server's clock."""

    clocks: Clocks
    kind: StateKind = "clocks"
    state: StructType = clocks_schema.COLUMNS
    partitioned_by: tuple[str, ...] = ()
    state_name: str = "clocks of devices"
    columns: StructType = COLUMNS
    replaced_columns: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The place in the log, the three times, and the device."""
        named = (self.clocks.device, self.clocks.sent, self.clocks.received)
        return "record_partition", "record_offset", "event_time", *named

    def check(self, events: StructType) -> None:
        """Raises Mistake unless the times are timestamps, and the device is a text, a number or a boolean."""
        kinds = {field.name: field.dataType for field in events}
        for name in (self.clocks.sent, self.clocks.received):
            if not isinstance(kinds[name], TimestampType):
                raise Mistake(f"clocks: column {name} is {kinds[name].simpleString()}; it must be a timestamp")
        device = kinds[self.clocks.device]
        if not isinstance(device, (StringType, NumericType, BooleanType)):
            raise Mistake(f"clocks: column {self.clocks.device} is {device.simpleString()}: no name of a device")

    def prepare(self, rows: ArrowStep) -> ArrowStep:
        """As they are."""
        return rows

    def prepare_frame(self, rows: DataFrame) -> DataFrame:
        """As they are."""
        return rows

    def step(self, kinds: StructType, stored: pa.Table, facts: FactAccumulator) -> ArrowStep:
        """The step that adds `columns`. Adds to `facts` the `clocks` that changed, in the columns of STATE."""
        output = StructType([*kinds, *COLUMNS])
        target = to_arrow_schema(output, timezone="UTC")
        before, clocks = _state(stored), self.clocks

        def process(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
            orders: dict[int, _Order] = {}
            changed = STATE.empty_table()
            for events in _blocks(batches):
                _follow(events, orders)
                state = latest(pa.concat_tables([before, changed])) if len(changed) else before
                columns, here = clocks_module.corrections(events, state, clocks)
                changed = latest(pa.concat_tables([changed, here]))
                arrays = [*events.columns, *columns.columns]
                yield from pa.Table.from_arrays(arrays, names=target.names).cast(target).to_batches()
            task_facts.report(facts, {(p, order.first_offset): order.facts(p, changed) for p, order in orders.items()})

        return ArrowStep(process, output)

    def changed_state(self, facts: Facts) -> pa.Table:
        """The clocks in the facts of a `step`."""
        return pa.concat_tables([STATE.empty_table(), *(fact["clocks"] for fact in facts.values())])

    def replacement(self, stored: pa.Table, changed: pa.Table) -> tuple[pa.Table, str | None]:
        """The changed rows; all rows that hold, once half of the stored ones would hold no longer."""
        together = pa.concat_tables([stored.select(changed.column_names).cast(changed.schema), changed])
        rows = latest(together.sort_by("sequence"))
        if len(together) <= max(FEW_ROWS, 2 * len(rows)):
            return changed, None
        return rows, "sequence >= 0"

    def ledger_numbers(self, changed: pa.Table) -> Mapping[str, Any]:
        """None."""
        return {}

    def add_undecided(self, rows: DataFrame) -> DataFrame:
        """`rows`, none of them corrected: the offsets that were known when they stood in the log are gone."""
        values = {
            "corrected_time": F.col("event_time"),
            "clock_method": F.lit("none"),
            "clock_refusal": F.lit(REQUEUED),
        }
        kinds = {field.name: field.dataType for field in COLUMNS}
        return rows.withColumns({name: values.get(name, F.lit(None)).cast(kind) for name, kind in kinds.items()})


class _Order(StreamTime):
    """The records of one partition, in the order in which they come."""

    def __init__(self) -> None:
        super().__init__(None)
        self.records = 0

    def facts(self, partition: int, changed: pa.Table) -> dict[str, object]:
        """What a task reports of the partition; `changed`: the clocks that changed, of all partitions."""
        here = changed.filter(pc.equal(changed["partition"], partition))
        return {"records": self.records, "in_order": self.in_order, "clocks": here}


def _follow(events: pa.Table, orders: dict[int, _Order]) -> None:
    partitions, offsets = (events[name].to_numpy() for name in ("record_partition", "record_offset"))
    for partition in np.unique(partitions).tolist():
        here = offsets[partitions == partition]
        order = orders.setdefault(partition, _Order())
        order.records += len(here)
        order.follow(here, np.empty(0, np.int64))


def _blocks(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """The events, so many together that the state is gone through seldom, and so few that they fit in memory."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= BLOCK_RECORDS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _state(stored: pa.Table) -> pa.Table:
    """The STATE that stored rows say."""
    return latest(stored.sort_by("sequence").select(STATE.names).cast(STATE))
