"""Rules that users store, and the events that meet them: a row for each event and each rule that was valid at its time.

A rule is a row of a table, with the text of a predicate (rules/predicate.py). Its versions are kept: a rule that is
changed counts as it is now from then on, and one that comes late is tried on the kept events since it is valid. A rule
that cannot be used matches nothing and stops nothing; the table of rules says what is wrong with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import BooleanType, DataType, StringType, StructField, StructType, TimestampType

from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.changes.version_rows import NEVER
from jobs.answers.event_rows.anchors import PLACE
from jobs.answers.rules import literals, predicate, rule_report
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.rule_set import Effort, RuleSet
from jobs.answers.rules.terms import Range, Term, every
from jobs.answers.versions import VALID_FROM, VALID_TO, Versions
from jobs.running import durations
from jobs.running.errors import Mistake

FOUND = {"version_valid_from": VALID_FROM, "version_time": "change_time"}
"""Columns that say of which time the version of the rule is, and those of the version that they have."""
_Kinds = tuple[tuple[str, DataType], ...]
"""The fields that rules may name, with their types."""
_REMEMBERED = 200_000
"""Rules whose terms are remembered: to parse one takes a tenth of a millisecond."""
_NONE = np.empty(0, np.int64)
_TIME = pa.timestamp("us", "UTC")


@dataclass(frozen=True)
class StoredQueries(AsOfAnswer):
    """A row for each event of a topic and each rule that it meets, of the rules that were valid at its time."""

    each: str
    """The topic of the events, by its name."""
    rules: Versions
    """An answer of the same result: the versions of the rules."""
    predicate: str
    """The column of the rules with the text of the predicate."""
    fields: tuple[str, ...]
    """Columns of the events that rules may name."""
    take: tuple[str, ...] = ()
    """Columns of the rule that the row has beside its key, such as its owner and its group."""
    show: tuple[str, ...] = ()
    """Columns of the event that the row has beside its place; no column of the rule has such a name."""
    until: str | None = None
    """A column of the rules with the first instant at which a rule is met no more; null there: it has no end."""
    restate: str = "1 day"
    """So long events are kept beyond `Late.allowed`, for rules to come: one that is valid from an earlier time is tried
    on the events that are kept."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""

    def __post_init__(self) -> None:
        durations.seconds(self.restate)
        for field in ("fields", "take", "show"):
            if not isinstance(getattr(self, field), tuple):
                raise Mistake(f'StoredQueries: {field} takes the names of columns in a tuple: {field}=("city",)')
        if not self.fields:
            raise Mistake("StoredQueries: fields names no column of the events that a rule may ask for")

    @property
    def versions(self) -> Versions:  # type: ignore[override]
        """The versions of the rules."""
        return self.rules

    @property
    def by(self) -> tuple[str, ...]:
        """None: an event may meet any rule."""
        return ()

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell a row from another: the event and the rule."""
        return (*super().key, *self.rules.key)

    @property
    def named_by(self) -> dict[str, str]:
        """Columns of a row that tell which version of the rule it is of, beside the key of the rule, and those of the
        version that they have.
        """
        return {name.replace("change_", "version_"): name for name in self.rules.row_key if name not in self.rules.key}

    def check(self, events: StructType, versions: StructType) -> None:
        """Raises Mistake unless events and rules have the columns that it names."""
        for what, names, there in (
            ("fields", self.fields, events.names),
            ("show", self.show, events.names),
            ("take", self.take, versions.names),
            ("predicate", (self.predicate,), versions.names),
            ("until", (self.until,) if self.until else (), versions.names),
        ):
            for name in names:
                if name not in there:
                    raise Mistake(f"StoredQueries: {what} has {name}, which is not there: {', '.join(there)}")
        if not isinstance(versions[self.predicate].dataType, StringType):
            kind = versions[self.predicate].dataType.simpleString()
            raise Mistake(f"StoredQueries: predicate is {self.predicate}, which is {kind}, and must be a text")
        if self.until and not isinstance(versions[self.until].dataType, TimestampType):
            kind = versions[self.until].dataType.simpleString()
            raise Mistake(f"StoredQueries: until is {self.until}, which is {kind}, and must be a timestamp")
        for name in self.fields:
            if not literals.is_usable(events[name].dataType):
                kind = events[name].dataType.simpleString()
                raise Mistake(f"StoredQueries: fields has {name}, which is {kind}: rules cannot ask for it")
        self._check_names(versions)

    def _check_names(self, versions: StructType) -> None:
        """Raises Mistake if two columns of a row would have one name."""
        names = (*self._of_rules, *self.show)
        lowered = [name.lower() for name in (*PLACE, *names)]
        for name in names:
            if lowered.count(name.lower()) > 1:
                raise Mistake(
                    f"StoredQueries: its rows would have two columns {name}, of the event and of the rule. Give the "
                    f'event\'s another name in the transform: F.col("{name}").alias("...")'
                )

    def columns(self, events: StructType, versions: StructType) -> StructType:
        """The columns of its rows: the event, the rule, and which version of the rule it was."""
        fields = [events[name] for name in (*PLACE, *self.show)]
        fields += [StructField(name, versions[name].dataType, True, versions[name].metadata) for name in self._of_rules]
        fields += [StructField(name, versions[source].dataType) for name, source in (FOUND | self.named_by).items()]
        return StructType([*fields, StructField("due_time", TimestampType()), StructField("final", BooleanType())])

    def rows(self, events: pa.Table, versions: pa.Table, complete_micros: int) -> pa.Table:
        """A row for each of these events and each rule that it meets. It is final once every further record that is not
        late has a time after the event.
        """
        return self.measured_rows(events, versions, complete_micros, lambda: 0)[0]

    def measured_rows(
        self, events: pa.Table, versions: pa.Table, complete_micros: int, clock: Callable[[], int]
    ) -> tuple[pa.Table, pa.Table]:
        """The rows; and what trying the rules took, in the columns of rule_report.EFFORT. `clock`: nanoseconds."""
        rules, places = _rule_set(self._texts(versions), self._kinds(from_arrow_schema(events.schema)))
        effort = Effort(rules.size)
        hits = list(rules.hits(events, effort, clock))
        of_events = events.take(pa.array(np.concatenate([_NONE, *(each.events for each in hits)])))
        of_rules = versions.take(pa.array(places[np.concatenate([_NONE, *(each.rules for each in hits)])]))
        rows = of_events.select([*PLACE, *self.show])
        for name, source in ({name: name for name in self._of_rules} | FOUND | self.named_by).items():
            rows = rows.append_column(name, of_rules[source])
        due = of_events["event_time"].cast(pa.int64()).to_numpy() + 1
        rows = rows.append_column("due_time", pa.array(due).cast(_TIME))
        rows = rows.append_column("final", pa.array(np.asarray(due <= complete_micros)))
        return rows, rule_report.effort_rows(versions.take(pa.array(places)), self.rules.row_key, effort)

    def faults(self, versions: pa.Table, events: StructType) -> pa.Array:
        """For each version what is wrong with its rule; null: nothing. `events`: the columns of the events."""
        kinds = self._kinds(events)
        found = (_terms(text, kinds) for text in versions[self.predicate].to_pylist())
        return pa.array([each if isinstance(each, str) else None for each in found], pa.string())

    @property
    def _of_rules(self) -> tuple[str, ...]:
        """The columns of the rule that a row has."""
        return tuple(dict.fromkeys((*self.rules.key, *self.take)))

    def _kinds(self, events: StructType) -> _Kinds:
        return tuple((name, events[name].dataType) for name in self.fields)

    def _texts(self, versions: pa.Table) -> tuple[tuple[str | None, int, int], ...]:
        """Of each version the rule, and the interval in which it is valid, in microseconds since 1970."""
        begins = versions[VALID_FROM].cast(pa.int64()).to_pylist()
        ends = pc.fill_null(versions[VALID_TO].cast(pa.int64()), NEVER)
        if self.until:
            ends = pc.min_element_wise(ends, versions[self.until].cast(_TIME).cast(pa.int64()))
        return tuple(zip(versions[self.predicate].to_pylist(), begins, ends.to_pylist(), strict=True))


@lru_cache(2)
def _rule_set(rules: tuple[tuple[str | None, int, int], ...], kinds: _Kinds) -> tuple[RuleSet, np.ndarray]:
    """Those rules that can be used and are ever valid, and where each is among all. A publish asks for those of before
    and those of now; the next one for the same.
    """
    found, places = list[Term](), list[int]()
    for place, (text, begin, end) in enumerate(rules):
        if begin < end and not isinstance(term := _terms(text, kinds), str):
            valid = Range("event_time", begin, None if end == NEVER else end, is_high_open=True)
            found.append(every((valid, term)))
            places.append(place)
    return RuleSet(found), np.array(places, np.int64)


@lru_cache(_REMEMBERED)
def _terms(text: str | None, kinds: _Kinds) -> Term | str:
    """The terms of a rule; or what is wrong with it."""
    if text is None:
        return "there is no predicate"
    try:
        return predicate.parse(text, dict(kinds))
    except RuleFault as fault:
        return str(fault)
