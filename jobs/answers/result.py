"""A result as a value: what is read, how it is transformed, what is stored. Nothing runs until it is kept."""

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, get_args

from pyspark.sql import DataFrame
from pyspark.sql.types import StructType

from jobs.answers import answer_kinds, contract, delivery, table_names
from jobs.answers.changes import change_contract
from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.changes.change_answer import ChangeAnswer
from jobs.answers.delivery import FEED, Delivery
from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.answers.latest import Latest
from jobs.answers.rules.rule_report import TABLE as RULE_REPORT
from jobs.answers.sessions import Sessions
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.table_names import TableKind
from jobs.answers.top import Top
from jobs.answers.views.view import View
from jobs.answers.windows import EARLIER_KIND, KEYS, KIND, CalendarDay, Window, Windows
from jobs.answers.windows.calendar import Calendar
from jobs.decisions.clocks import Clocks
from jobs.decisions.corrected_times import CorrectedTimes
from jobs.decisions.decision import Decision
from jobs.decisions.membership import Membership
from jobs.decisions.seen_before import SeenBefore
from jobs.events import event_time, topic_schema
from jobs.events.changes import debezium_transactions
from jobs.events.changes.change_form import TRANSACTION, ChangeForm
from jobs.events.changes.change_topic import change_topic
from jobs.events.encodings.topic_encoding import encoded_topic
from jobs.events.lateness_rule import LatenessRule, Remedy
from jobs.facts import kept_events
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
    decide: Membership | Clocks | None = None
    """What is decided about each record, once, in the order of the log. Membership adds the column `seen_before`.
    Clocks add corrected_time, clock_offset_seconds, clock_method, clock_confidence and clock_refusal; the transform
    returns the columns that they name."""
    form: ChangeForm | None = None
    """How a capture tool writes changes of a table's rows, such as debezium.CHANGES; None: a record is an event as the
    schema file says. With it the schema file has the columns of the table, and needs no EVENT_TIME; events have the
    columns change_... of change_form.COLUMNS, too."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "topic", encoded_topic(self.topic))
        if self.form and not hasattr(self.topic, "FORM"):
            object.__setattr__(self, "topic", change_topic(self.topic, self.form))
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
    reads: Reads | tuple[Reads, ...]
    """What is read. Of events at the same time, those of an earlier topic come first."""
    answers: Windows | Sessions | ChangeAnswer | View | EventAnswer | tuple[Any, ...] | None = None
    """What follows from the records: Windows, also with a Top or several; Sessions; answers of events; Latest and
    Versions of changes, and what is made of these. None keeps a row for each record, with what is decided about it."""
    late: Late = Late()
    """What is late, and what becomes of it."""
    facts_for: str = "1 hour"
    """So much later than `Late.allowed` a record may be and still correct an answer of events, which are kept so long.
    One that is later is quarantined, with reason `too_late`."""
    deliver: tuple[Delivery, ...] = ()
    """Where the changes of answers, or the rows of a decision, are sent: Topic, Webhook, File. If it names any, the
    table NAME_feed has a row for each row that a publish wrote or withdrew; rows of a decision need none."""
    feed_for: str = "7 days"
    """So long rows of the feed stay at least, and until they are delivered."""
    publish_every: str = "1 minute"
    """A continuous run merges windows into their table at most this often; a scheduled run does so once, at its end."""
    max_records_per_batch: int = 500_000
    """Bound of a microbatch, and of the memory that it takes."""
    batch_target: str = "5 seconds"
    """A continuous run makes batches of so many records as take about this long; a scheduled run takes the bound."""
    min_records_per_batch: int = 1_000
    """A continuous run does not make its batches smaller, however long they take."""
    window_column: str = KIND
    """The column of windows with the label of their kind: window_kind, or window. Tables that version 0.3.0
    or an earlier one made have it as window, and keep it without being told here."""

    def __new__(cls, *args: Any, **options: Any) -> "Result":
        """Raises Mistake for the form that version 0.2.0 took."""
        before = {"topic", "transform", "panes", "windows", "membership", "allowed_lateness"} & options.keys()
        if before or (len(args) > 1 and not isinstance(args[1], (Reads, tuple))):
            raise Mistake(
                "a result takes what it reads, what it answers and what is late: "
                'Result("rides_v1", Reads(ride, transform), Windows(PANES, Tumbling("1 hour")), late=Late("6 hours")); '
                "membership is Reads(ride, transform, decide=MEMBERSHIP)"
            )
        return super().__new__(cls)

    def __post_init__(self) -> None:
        contract.check_name(self.name)
        if not isinstance(self.late, Late):
            raise Mistake(f'{self.name}: late= takes a Late, such as late=Late("6 hours")')
        object.__setattr__(self, "reads", self._reads_with_transactions())
        for duration in (self.publish_every, self.batch_target, self.facts_for, self.feed_for):
            durations.seconds(duration)
        if self.min_records_per_batch < 1:
            raise Mistake(f"{self.name}: min_records_per_batch must be 1 or more")
        if self.window_column not in (KIND, EARLIER_KIND):
            raise Mistake(f'{self.name}: window_column={self.window_column!r} is neither "{KIND}" nor "{EARLIER_KIND}"')
        if not self.answers and not self.decision:
            raise Mistake(f"{self.name}: has neither answers nor a decision: say what is to be kept")
        for reads in self.all_reads:
            if getattr(reads.topic, "COMPACTED", False) and not self._needs_last_record(reads):
                raise Mistake(f"{self.name}: counts every record, and topic {reads.topic.TOPIC} is compacted")
        if self.panes:
            contract.check_panes(self.name, self.panes)
        contract.check_rankings(self.name, self.answers)
        change_contract.check(self.name, self.all_reads, self.answers, self.late.then)
        names = [each.name for each in self.rankings] + [each.name for each in self.change_answers]
        names += [each.name for each in self.as_of_answers] + [each.name for each in self.views]
        names += [table_names.part(each.name, RULE_REPORT).lstrip("_") for each in self.stored_queries]
        contract.check_tables(self.name, self.topics if self.keeps_events else (), self.event_answers, names)
        if len(self.all_reads) > 1 and not self.keeps_events:
            raise Mistake(f"{self.name}: windows and decisions read one topic; several are read for answers of events")
        if self.decision and (self.event_answers or self.sessions or self.late.idle_after):
            what = "idle_after" if self.late.idle_after else "answers of events" if self.event_answers else "sessions"
            raise Mistake(f"{self.name}: a decision cannot be had together with {what}: make two results")
        delivery.check(self.name, self.deliver, self.topics, tuple(self.delivery_keys))
        self._check_late()

    def _reads_with_transactions(self) -> Reads | tuple[Reads, ...]:
        """What is read, and after it the topics that tell of transactions."""
        named = {
            each.form.transaction_topic: getattr(each.topic, "ENCODING", None) for each in self.all_reads if each.form
        }
        topics = [
            debezium_transactions.topic(name, encoding)
            for name, encoding in sorted(named.items())
            if name not in ("", *self.topics)
        ]
        if not topics:
            return self.reads
        return (*self.all_reads, *(Reads(topic, _as_it_is, form=topic.FORM) for topic in topics))

    def _needs_last_record(self, reads: Reads) -> bool:
        """Whether the last record of each key is all that the answers need."""
        answers = [each for each in self.change_answers if each.topic in ("", reads.topic.TOPIC)]
        is_enough = bool(reads.form and reads.form.is_by_offset)
        return is_enough and all(isinstance(each, Latest) for each in answers)

    def _check_late(self) -> None:
        """Raises Mistake if one record could make a day of others late, and so take them out of the answers."""
        if self.late.then == "correct":
            return
        for reads in self.all_reads:
            ahead, allowed = event_time.of_topic(reads.topic).max_ahead_seconds, durations.seconds(self.late.allowed)
            if ahead is None or ahead > allowed:
                raise Mistake(
                    f"{self.name}: late records go to {self.late.then!r}, and one event time in the future would make "
                    f"all that follow late. So {topic_schema.file_name(reads.topic)} must not let it be further ahead "
                    f'of its record than a late one may be behind: MAX_AHEAD = "{self.late.allowed}", or less'
                )

    @property
    def all_reads(self) -> tuple[Reads, ...]:
        """What is read, topic by topic."""
        return (self.reads,) if isinstance(self.reads, Reads) else self.reads

    @property
    def topics(self) -> tuple[str, ...]:
        """The names of the topics, in order of reading."""
        return tuple(reads.topic.TOPIC for reads in self.all_reads)

    @property
    def readings(self) -> tuple["Result", ...]:
        """For each topic the same result, as if it read that alone."""
        return (self,) if isinstance(self.reads, Reads) else tuple(map(self._part, self.reads))

    def _part(self, reads: Reads) -> "Result":
        """The same, of one topic alone: which the checks of a whole result would refuse."""
        reading = copy(self)
        object.__setattr__(reading, "reads", reads)
        return reading

    @property
    def event_answers(self) -> tuple[EventAnswer, ...]:
        """The answers of kept events."""
        return answer_kinds.of_events(self.answers)

    @property
    def change_answers(self) -> tuple[ChangeAnswer, ...]:
        """The answers of changes of tables."""
        return answer_kinds.of_changes(self.answers)

    @property
    def as_of_answers(self) -> tuple[AsOfAnswer, ...]:
        """The answers of events and the versions that were valid at their time."""
        return answer_kinds.as_of(self.answers)

    @property
    def stored_queries(self) -> tuple[StoredQueries, ...]:
        """Those of them that try rules."""
        return tuple(each for each in self.as_of_answers if isinstance(each, StoredQueries))

    @property
    def views(self) -> tuple[View, ...]:
        """The answers in SQL over tables of latest rows."""
        return answer_kinds.views(self.answers)

    def change_topic(self, answer: ChangeAnswer) -> str:
        """The topic whose changes an answer is of."""
        return answer.topic or next(reads.topic.TOPIC for reads in self.all_reads if reads.form)

    @property
    def keeps_events(self) -> bool:
        """Whether each batch appends its events, for answers of them."""
        return self.events_by is not None

    @property
    def rankings(self) -> tuple[Top, ...]:
        """What ranks the rows of its windows."""
        return answer_kinds.rankings(self.answers)

    @property
    def uses_window_changes(self) -> bool:
        """Whether something is made of what a publish has changed in the table of windows: a ranking or a feed."""
        return bool(self.windows) and bool(self.rankings or self.deliver)

    @property
    def sessions(self) -> Sessions | None:
        """The sessions that are published."""
        return self.answers if isinstance(self.answers, Sessions) else None

    @property
    def count_column(self) -> str | None:
        """The column of panes or spells that counts their records; None if a batch gives a row for each record."""
        return self.panes.count if self.panes else self.sessions.count if self.sessions else None

    @property
    def events_by(self) -> tuple[str, ...] | None:
        """The columns of the group of kept events, of topics of the first; None if none are kept."""
        if not self.change_answers:
            return self.event_answers[0].by if self.event_answers else None
        topic = self.topic.TOPIC
        if debezium_transactions.is_of_transactions(self.topic_form):
            return ("transaction_id",)
        if self.topic_form:
            return next(each.key for each in self.change_answers if self.change_topic(each) == topic)
        return next(each.by for each in self.as_of_answers if each.each == topic)

    @property
    def is_published(self) -> bool:
        """Whether anything is published, beside the rows of records."""
        return self.answers is not None

    @property
    def has_decided_rows(self) -> bool:
        """Whether its table has a row for each record, with what is decided about it, and nothing is published."""
        return not self.is_published

    @property
    def lateness_rule(self) -> LatenessRule:
        """When a record is late, and what becomes of it."""
        idle = None if self.late.idle_after is None else durations.seconds(self.late.idle_after)
        allowed = durations.seconds(self.late.allowed)
        kept = None if self.topic_form or not (self.event_answers or self.as_of_answers) else allowed + self._facts_for
        return LatenessRule(allowed, self.late.then, idle, kept)

    @property
    def _facts_for(self) -> int:
        """How many seconds kept events stay beyond what is allowed to be late."""
        return max(map(durations.seconds, (self.facts_for, *(each.restate for each in self.as_of_answers))))

    @property
    def topic_form(self) -> ChangeForm | None:
        """How changes are written in the topic, if it has changes."""
        return self.all_reads[0].form

    @property
    def topic(self) -> Any:
        """Schema file of the topic that is read; of several the first."""
        return self.all_reads[0].topic

    @property
    def transform(self) -> Callable[[DataFrame], DataFrame]:
        """What is done with each event of the topic."""
        return self.all_reads[0].transform

    @property
    def membership(self) -> Membership | None:
        """Which keys count as seen, if that is decided about each record."""
        decide = self.all_reads[0].decide
        return decide if isinstance(decide, Membership) else None

    @property
    def clocks(self) -> Clocks | None:
        """How the clocks of devices are corrected, if that is decided about each record."""
        decide = self.all_reads[0].decide
        return decide if isinstance(decide, Clocks) else None

    @property
    def decision(self) -> Decision | None:
        """What the order of the log decides about each record."""
        if self.clocks:
            return CorrectedTimes(self.clocks)
        return SeenBefore(self.membership, self.lateness_rule.allowed_seconds) if self.membership else None

    @property
    def panes(self) -> Panes | None:
        """What is kept per pane; None keeps a row for each record."""
        return self._windows.panes if self._windows else None

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows that are published. They may change at any time: new ones are made of the stored panes."""
        return self._windows.windows if self._windows else ()

    @property
    def window_key(self) -> tuple[str, ...]:
        """The columns that tell one window from another, together with its group."""
        return (self.window_column, *KEYS[1:])

    @property
    def windows_from_panes(self) -> tuple[Window, ...]:
        """Those that are merged from panes."""
        return self._windows.from_panes if self._windows else ()

    @property
    def windows_from_days(self) -> tuple[Calendar, ...]:
        """The others: weeks, months and years."""
        return self._windows.from_days if self._windows else ()

    @property
    def day_zones(self) -> tuple[str, ...]:
        """The zones whose days are kept for them."""
        return tuple(dict.fromkeys(window.zone for window in self.windows_from_days))

    @property
    def pane_windows(self) -> tuple[Window, ...]:
        """All that is merged from panes: windows, and the days that are kept."""
        return (*self.windows_from_panes, *map(CalendarDay, self.day_zones))

    @property
    def _windows(self) -> Windows | None:
        first = self.answers[0] if isinstance(self.answers, tuple) and self.answers else self.answers
        return first if isinstance(first, Windows) else None

    def check_transformed(self, transformed: DataFrame) -> None:
        """Raises Mistake if the transform's output for no events is not what panes and decisions need."""
        contract.check_transformed(self.name, transformed)
        self.check(transformed.schema)
        if self.event_answers:
            contract.check_event_time(self.name, transformed)
        if self.as_of_answers and not self.topic_form:
            contract.check_event_time(self.name, transformed)
        if self.topic_form:
            change_contract.check_selection(self.name, transformed)

    def check(self, events: StructType) -> None:
        """Raises Mistake if the transform's columns are not those that the answers need; of topics, the first's."""
        contract.check_events(self.name, events, self._required_columns(), self.panes, self.decision)
        if self.sessions:
            contract.check_sessions(self.name, events, self.sessions)
        if self.topic_form and self.topic_form.transaction_topic and TRANSACTION.name not in events.names:
            raise Mistake(
                f"{self.name}: transactions are followed, and the transform of {self.topic.TOPIC} does not return "
                f"{TRANSACTION.name}: let it select that column, too, or return the changes as they are"
            )
        for answer in self.change_answers if self.topic_form else ():
            if self.change_topic(answer) == self.topic.TOPIC:
                change_contract.check_columns(self.name, events, answer)
        if self.events_by is not None:
            contract.check_kept(self.name, self.topic.TOPIC, events, self.events_by)

    def _required_columns(self) -> list[str]:
        columns = ["event_time"]
        if self.decision:
            columns += self.decision.needs
        if self.events_by is not None:
            columns += [*kept_events.PLACE, *self.events_by]
        if self.panes:
            columns += self.panes.columns
        if self.sessions:
            columns += self.sessions.spells.columns
        return columns

    def needed_columns(self, columns: list[str]) -> list[str]:
        """Those of the transform's columns that panes, spells and decisions need; all of them if rows are stored."""
        return [name for name in columns if self.count_column is None or name in self._required_columns()]

    def table(self, kind: TableKind) -> str:
        """The name of its table of this kind."""
        return table_names.table(self.name, kind)

    def answer_table(self, answer: EventAnswer | Sessions | ChangeAnswer | AsOfAnswer | View | Top) -> str:
        """The name of the table of an answer."""
        return table_names.part(self.name, answer.name)

    def deleted_table(self, answer: ChangeAnswer) -> str:
        """The name of the table with the deleted keys of an answer."""
        return table_names.table(self.answer_table(answer), "deleted")

    def rules_table(self, answer: StoredQueries) -> str:
        """The name of the table with what is known of the rules of an answer."""
        return table_names.part(self.answer_table(answer), RULE_REPORT)

    def feed_table(self, answer: str) -> str:
        """The name of the table with the changes of the answer of this name."""
        return table_names.part(table_names.part(self.name, answer), FEED)

    def changes_table(self, answer: str) -> str:
        """The name of the table out of which the answer of this name is delivered: its feed. Decided rows are only ever
        added, and have the ledger row of their batch: their table is its own feed.
        """
        return self.name if self.has_decided_rows else self.feed_table(answer)

    @property
    def feed_tables(self) -> tuple[str, ...]:
        """The tables with the changes of its answers; none if it delivers nothing."""
        return tuple(map(self.feed_table, self.answer_keys)) if self.deliver else ()

    @property
    def answer_keys(self) -> dict[str, tuple[str, ...]]:
        """By the name of each answer whose rows are corrected, the columns that tell one row from another."""
        if self.panes:
            of_rankings = {each.name: (self.window_column, *each.key[1:]) for each in self.rankings}
            return {"": (*self.window_key, *self.panes.by)} | of_rankings
        if self.sessions:
            return {self.sessions.name: self.sessions.key}
        if self.change_answers:
            of_changes = {answer.name: answer.row_key for answer in self.change_answers}
            of_changes |= {answer.name: answer.key for answer in self.as_of_answers}
            return of_changes | {view.name: view.key for view in self.views}
        return {answer.name: answer.key for answer in self.event_answers}

    @property
    def delivery_keys(self) -> dict[str, tuple[str, ...]]:
        """By the name of all that can be delivered, the columns that tell one row from another."""
        return {"": kept_events.PLACE} if self.has_decided_rows else self.answer_keys

    def events_table(self, topic: str) -> str:
        """The name of the table with the kept events of a topic."""
        return table_names.part(self.name, topic)

    def definition(self) -> dict[str, str]:
        """The constants that give the numbers their meaning, by name, as text. Each row of a ledger has them.

        Panes, membership and clocks are given by the fields that are not at their default, so a field that a later
        version adds changes nothing for the results that do not use it. A default, once released, stays as it is.
        """
        constants = {
            "topic": self.topic.TOPIC,
            "key": str(self.topic.KEY),
            "event_time": event_time.of_topic(self.topic).definition(),
            "panes": str(self.panes and _non_default_fields(self.panes)),
            WINDOWS: windows_text(self.windows),
            "membership": str(self.membership and _non_default_fields(self.membership)),
            "allowed_lateness": self.late.allowed,
            RULES: "2",
        }
        late = {name: value for name, value in _non_default_fields(self.late).items() if name != "allowed"}
        if late:
            constants["late"] = str(late)
        if self.clocks:
            constants["clocks"] = str(_non_default_fields(self.clocks))
        if self.sessions:
            constants["answers"] = definition_text(self.sessions)
        if self.change_answers:
            constants["answers"] = "; ".join(map(definition_text, answer_kinds.in_order(self.answers)))
        if self.topic_form:
            constants["form"] = self.topic_form.name
        if self.as_of_answers:
            constants["facts_for"] = self.facts_for
        if self.rankings:
            constants["answers"] = "; ".join(map(definition_text, self.rankings))
        if self.event_answers:
            constants["answers"] = "; ".join(map(definition_text, self.event_answers))
            constants["facts_for"] = self.facts_for
        return constants


def definition_text(value: Any) -> str:
    """A value of a job file, with the fields of dataclasses that are not at their default."""
    if is_dataclass(value):
        given = _non_default_fields(value)
        return (
            f"{type(value).__name__}({', '.join(f'{name}={definition_text(field)}' for name, field in given.items())})"
        )
    if isinstance(value, tuple):
        return f"({', '.join(map(definition_text, value))})"
    return repr(value)


def _as_it_is(events: DataFrame) -> DataFrame:
    """The transform of a topic that tells of transactions."""
    return events


def windows_text(windows: tuple[Window, ...]) -> str:
    """The windows, as a definition has them."""
    return "; ".join(window.name + ("" if window.uniques else WITHOUT_UNIQUES) for window in windows)


def _non_default_fields(value: Any) -> dict[str, Any]:
    """The fields that are not at their default."""
    all_fields = {field.name: (getattr(value, field.name), field.default) for field in fields(value)}
    return {name: field for name, (field, default) in all_fields.items() if field != default}
