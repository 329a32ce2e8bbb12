"""What a decision must be able to do: a fold over each partition of the log, in order of offset.

It is made once for each record, in the batch that reads it, from the records of the same partition up to and with this
one, and is never revised. Its state is a table of the result, which each batch changes in one commit. To add one: a
file like corrected_times.py, a table in schemas/, and a test that any cut of the log gives the same columns.
"""

from collections.abc import Mapping
from typing import Any, Literal, Protocol

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.events.arrow_step import ArrowStep
from jobs.events.task_facts import FactAccumulator, Facts

StateKind = Literal["filters", "clocks"]
"""What follows the name of the result in the name of the state's table, and a step of its commits: both are stored."""


class Decision(Protocol):
    """A decision with its parameters."""

    @property
    def kind(self) -> StateKind:
        """Which state it has."""

    @property
    def state(self) -> StructType:
        """Columns of the table of its state; the last one is `sequence`, the ledger row that wrote a row."""

    @property
    def partitioned_by(self) -> tuple[str, ...]:
        """Columns that are folders of this table."""

    @property
    def state_name(self) -> str:
        """What its state is, in words that go on "which ... a batch changes"."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The columns of an event that it takes."""

    @property
    def columns(self) -> StructType:
        """The columns that it adds to each event, with their comments."""

    @property
    def replaced_columns(self) -> tuple[str, ...]:
        """The columns in `needs` that it no longer needs after `prepare`."""

    def check(self, events: StructType) -> None:
        """Raises Mistake if the columns in `needs`, which are there, have types that it cannot take."""

    def prepare(self, rows: ArrowStep) -> ArrowStep:
        """The step after `rows` which computes what `step` takes beside the columns of events."""

    def prepare_frame(self, rows: DataFrame) -> DataFrame:
        """The same, done by Spark."""

    def step(self, kinds: StructType, stored: pa.Table, facts: FactAccumulator) -> ArrowStep:
        """The step that adds `columns` to prepared events of the columns `kinds`, in the tasks that read them.

        The events of a partition must be in one task, in order of offset: see `in_order`. `stored`: the state before
        these events. Adds to `facts`, for each partition, the number of `records`, whether they were `in_order`, and
        what `changed_state` takes.
        """

    def changed_state(self, facts: Facts) -> pa.Table:
        """The rows of state that a batch changes, in the columns of `state` but `sequence`."""

    def replacement(self, stored: pa.Table, changed: pa.Table) -> tuple[pa.Table, str | None]:
        """The rows to write, of a batch that changes these rows of state, at least one, and SQL that holds for the
        stored rows that go; None: none goes. All tables have the columns of `state`.
        """

    def ledger_numbers(self, changed: pa.Table) -> Mapping[str, Any]:
        """Columns of the ledger row of a batch that changes these rows of state, at least one."""

    def add_undecided(self, rows: DataFrame) -> DataFrame:
        """`rows` with `columns`, as a record gets them that was in quarantine when its turn was."""


def in_order(events: DataFrame) -> DataFrame:
    """Each partition in one task, in order of offset."""
    return events.repartition("record_partition").sortWithinPartitions("record_partition", "record_offset")
