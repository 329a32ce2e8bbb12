"""A result as a value: what is read, how it is transformed, what is stored. Nothing runs until it is kept."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any, get_args

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.answers import contract, table_names
from jobs.answers.table_names import TableKind
from jobs.answers.windows import Window, Windows
from jobs.decisions.membership import Membership
from jobs.events import event_time, topic_schema
from jobs.events.lateness_rule import LatenessRule, Remedy
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
class Reads:
    """A topic, and what of it."""

    topic: Any
    """Schema file of the topic (a topic_schema.TopicSchema)."""
    transform: Callable[[DataFrame], DataFrame]
    """Row by row: gets the topic's columns, `event_time` and record_partition, record_offset, record_timestamp,
    record_key; returns `event_time` and the columns that the answers name, and the record_ columns if there is a
    decision, or if events are kept."""
    decide: Membership | None = None
    """Adds the column `seen_before` to each record, in the order of the log."""

    def __post_init__(self) -> None:
        topic_schema.check(self.topic)
        event_time.of_topic(self.topic)


@dataclass(frozen=True)
class Late:
    """What is late, and what becomes of it. The log alone decides it: see jobs/events/stream_time.py."""

    allowed: str = "1 hour"
    """A record whose event time is further behind stream time is late. Each has a row in the table NAME_stragglers."""
    then: Remedy = "correct"
    """What becomes of a late record. correct: it counts all the same, and corrects what was published. quarantine: it
    waits in NAME_quarantine with reason `late`, until `headrace requeue` takes it in. drop: its row in NAME_stragglers
    is all that is left."""
    idle_after: str | None = None
    """So long after its last record a partition no longer holds `final` back; None: for ever. With it a record counts
    as late, too, if it reaches the log more than `idle_after` and `allowed` after its event time."""

    def __post_init__(self) -> None:
        durations.seconds(self.allowed)
        if self.then not in get_args(Remedy):
            raise Mistake(f'Late: then={self.then!r} is none of "correct", "quarantine" and "drop"')
        if self.idle_after is not None:
            durations.seconds(self.idle_after)


@dataclass(frozen=True)
class Result:
    """One result kept up to date.

    Every constant here but windows, `publish_every` and those of batches gives the numbers their meaning: changing one
    needs a new version in `name`, and so a new table.
    """

    name: str
    """Name of the table, the checkpoint and the ledger, with a version: departure_delay_v1."""
    reads: Reads
    """What is read."""
    answers: Windows | None = None
    """What follows from the records; None keeps a row for each record, with what is decided about it."""
    late: Late = Late()
    """What is late, and what becomes of it."""
    publish_every: str = "1 minute"
    """A continuous run merges windows into their table at most this often; a scheduled run does so once, at its end."""
    max_records_per_batch: int = 500_000
    """Bound of a microbatch, and of the memory that it takes."""
    batch_target: str = "5 seconds"
    """A continuous run makes batches of so many records as take about this long; a scheduled run takes the bound."""
    min_records_per_batch: int = 1_000
    """A continuous run does not make its batches smaller, however long they take."""

    def __new__(cls, *args: Any, **options: Any) -> "Result":
        """Raises Mistake for the form that version 0.2.0 took."""
        before = {"topic", "transform", "panes", "windows", "membership", "allowed_lateness"} & options.keys()
        if before or (len(args) > 1 and not isinstance(args[1], Reads)):
            raise Mistake(
                "a result takes what it reads, what it answers and what is late: "
                'Result("rides_v1", Reads(ride, transform), Windows(PANES, Tumbling("1 hour")), late=Late("6 hours")); '
                "membership is Reads(ride, transform, decide=MEMBERSHIP)"
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        contract.check_name(self.name)
        for duration in (self.publish_every, self.batch_target):
            durations.seconds(duration)
        if self.min_records_per_batch < 1:
            raise Mistake(f"{self.name}: min_records_per_batch must be 1 or more")
        if getattr(self.topic, "COMPACTED", False) and (self.panes or self.membership):
            raise Mistake(f"{self.name}: counts every record, and topic {self.topic.TOPIC} is compacted")
        if not self.panes and not self.membership:
            raise Mistake(f"{self.name}: has neither answers nor a decision: say what is to be kept")
        if self.panes:
            contract.check_panes(self.name, self.panes)
        self._check_late()
        if self.membership and self.late.idle_after:
            raise Mistake(f"{self.name}: idle_after is for results with windows, and membership has nothing that waits")

    def _check_late(self) -> None:
        """Raises Mistake if one record could make a day of others late, and so take them out of the answers."""
        ahead, allowed = event_time.of_topic(self.topic).max_ahead_seconds, durations.seconds(self.late.allowed)
        if self.late.then != "correct" and (ahead is None or ahead > allowed):
            raise Mistake(
                f"{self.name}: late records go to {self.late.then!r}, and one event time in the future would make all "
                f"that follow late. So {topic_schema.file_name(self.topic)} must not let it be further ahead of its "
                f'record than a late one may be behind: MAX_AHEAD = "{self.late.allowed}", or less'
            )

    @property
    def lateness_rule(self) -> LatenessRule:
        """When a record is late, and what becomes of it."""
        idle = None if self.late.idle_after is None else durations.seconds(self.late.idle_after)
        return LatenessRule(durations.seconds(self.late.allowed), self.late.then, idle)

    @property
    def topic(self) -> Any:
        """Schema file of the topic that is read."""
        return self.reads.topic

    @property
    def transform(self) -> Callable[[DataFrame], DataFrame]:
        """What is done with each event of the topic."""
        return self.reads.transform

    @property
    def membership(self) -> Membership | None:
        """What the order of the log decides about each record."""
        return self.reads.decide

    @property
    def panes(self) -> Panes | None:
        """What is kept per pane; None keeps a row for each record."""
        return self.answers.panes if self.answers else None

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that are published. They may change at any time: new ones are made of the stored panes."""
        return self.answers.windows if self.answers else ()

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

    def _late_text(self) -> str:
        """What is not the default of `late`, but for `allowed`, which version 0.2.0 knew as a constant of its own."""
        return str({name: value for name, value in _non_default_fields(self.late).items() if name != "allowed"} or None)

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
            "allowed_lateness": self.late.allowed,
            "late": self._late_text(),
            RULES: "2",
        }


def windows_text(windows: tuple[Window, ...]) -> str:
    """The windows, as a definition has them."""
    return "; ".join(window.name + ("" if window.uniques else WITHOUT_UNIQUES) for window in windows)


def _non_default_fields(value: Panes | Membership | Late) -> dict[str, Any]:
    """The fields that are not at their default."""
    all_fields = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {name: field for name, (field, default) in all_fields.items() if field != default}
