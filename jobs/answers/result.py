"""A result as a value: what is read, how it is transformed, what is stored. Nothing runs until it is kept."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.answers import contract, table_names
from jobs.answers.table_names import TableKind
from jobs.answers.windows import Window
from jobs.decisions.membership import Membership
from jobs.events import event_time, topic_schema
from jobs.facts.panes import Panes
from jobs.running import durations
from jobs.running.errors import Mistake

RULES = "rules"
"""In a definition: the version of the rules by which numbers are computed. "2" since 0.3.0, see
jobs/keeping/definition/upgrade.py; earlier versions wrote none."""
WINDOWS = "windows"
"""In a definition: the labels of the windows."""
WITHOUT_UNIQUES = " without uniques"
"""In a definition: follows the label of a window that leaves distinct counts out."""


@dataclass(frozen=True)
class Result:
    """One result kept up to date.

    Every constant here but `windows`, `publish_every` and those of batches gives the numbers their meaning: changing
    one needs a new version in `name`, and so a new table.
    """

    name: str
    """Name of the table, the checkpoint and the ledger, with a version: departure_delay_v1."""
    topic: Any
    """Schema file of the topic that is read (a topic_schema.TopicSchema)."""
    transform: Callable[[DataFrame], DataFrame]
    """Row by row: gets the topic's columns, `event_time` and record_partition, record_offset, record_timestamp,
    record_key; returns `event_time` and the columns that panes name, and the record_ columns if there is membership."""
    panes: Panes | None = None
    """What is kept per pane; None keeps a row for each record (membership)."""
    windows: tuple[Window, ...] = ()
    """The windows that are published. They may change at any time: new ones are made of the panes that are stored."""
    membership: Membership | None = None
    """Adds the column `seen_before` before panes are made."""
    allowed_lateness: str = "1 hour"
    """A record whose event time is further behind stream time counts as late. It is counted all the same."""
    publish_every: str = "1 minute"
    """A continuous run merges windows into their table at most this often; a scheduled run does so once, at its end."""
    max_records_per_batch: int = 500_000
    """Bound of a microbatch, and of the memory that it takes."""
    batch_target: str = "5 seconds"
    """A continuous run makes batches of so many records as take about this long; a scheduled run takes the bound."""
    min_records_per_batch: int = 1_000
    """A continuous run does not make its batches smaller, however long they take."""

    def __post_init__(self) -> None:
        contract.check_name(self.name)
        topic_schema.check(self.topic)
        event_time.of_topic(self.topic)
        for duration in (self.allowed_lateness, self.publish_every, self.batch_target):
            durations.seconds(duration)
        if self.min_records_per_batch < 1:
            raise Mistake(f"{self.name}: min_records_per_batch must be 1 or more")
        if bool(self.panes) != bool(self.windows):
            raise Mistake(f"{self.name}: panes and windows come together")
        if getattr(self.topic, "COMPACTED", False) and (self.panes or self.membership):
            raise Mistake(f"{self.name}: counts every record, and topic {self.topic.TOPIC} is compacted")
        if not self.panes and not self.membership:
            raise Mistake(f"{self.name}: keeps neither panes nor membership")
        for window in self.windows:
            assert self.panes
            window.check(self.panes.every_seconds)
        labels = [window.name for window in self.windows]
        if len(set(labels)) < len(labels):
            raise Mistake(f"{self.name}: the same window twice")
        if self.panes:
            contract.check_panes(self.name, self.panes)

    def check_transformed(self, transformed: DataFrame) -> None:
        """Raises Mistake if the transform's output for no events is not what panes and membership need."""
        contract.check_transformed(self.name, transformed)
        self.check(transformed.schema)

    def check(self, events: StructType) -> None:
        """Raises Mistake if the transform's columns are not those that panes and membership need."""
        contract.check_events(self.name, events, self._required_columns(), self.panes, self.membership is not None)

    def _required_columns(self) -> list[str]:
        columns = ["event_time"]
        if self.membership:
            columns += ["record_partition", "record_offset", "record_key"]
        if self.panes:
            columns += self.panes.columns
        return columns

    def needed_columns(self, columns: list[str]) -> list[str]:
        """Those of the transform's columns that panes and membership need; all of them if rows are stored."""
        return [name for name in columns if not self.panes or name in self._required_columns()]

    def table(self, kind: TableKind) -> str:
        """The name of its table of this kind."""
        return table_names.table(self.name, kind)

    def definition(self) -> dict[str, str]:
        """The constants that give the numbers their meaning, by name, as text. Each row of a ledger has them.

        Panes and membership are given by the fields that are not at their default, so a field that a later version adds
        changes nothing for the results that do not use it. A default, once released, stays as it is.
        """
        return {
            "topic": self.topic.TOPIC,
            "key": str(self.topic.KEY),
            "event_time": event_time.of_topic(self.topic).definition(),
            "panes": str(self.panes and _non_default_fields(self.panes)),
            WINDOWS: windows_text(self.windows),
            "membership": str(self.membership and _non_default_fields(self.membership)),
            "allowed_lateness": self.allowed_lateness,
            RULES: "2",
        }


def windows_text(windows: tuple[Window, ...]) -> str:
    """The windows, as a definition has them."""
    return "; ".join(window.name + ("" if window.uniques else WITHOUT_UNIQUES) for window in windows)


def _non_default_fields(value: Panes | Membership) -> dict[str, Any]:
    """The fields that are not at their default."""
    all_fields = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {name: field for name, (field, default) in all_fields.items() if field != default}
