"""What is known of the rules of a result, from its tables. In this process, without Java."""

import time
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from jobs.answers.result import Result
from jobs.answers.rules import predicate
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.rule_set import Effort, RuleSet
from jobs.answers.rules.terms import Among, Every, Missing, Phrase, Range, Term
from jobs.answers.stored_queries import StoredQueries
from jobs.publishing.results import query
from jobs.running.errors import Refused
from jobs.running.places import Places


@dataclass(frozen=True)
class Rule:
    """A version of a rule."""

    key: tuple[Any, ...]
    valid_from: datetime
    valid_to: datetime | None
    fault: str | None
    hits: int
    tried: int
    micros: float
    """Of computing for each event, when it was tried last."""


@dataclass(frozen=True)
class Trial:
    """A rule, tried on the events that are kept."""

    fault: str | None
    events: int
    index: str
    """By what its candidates are found."""
    tried: int = 0
    hits: int = 0
    micros: float = 0.0


def answer_of(result: Result) -> StoredQueries:
    """The answer of the result that tries rules. Raises Refused if it has none."""
    if not result.stored_queries:
        raise Refused(f"{result.name} tries no rules: its job file has no StoredQueries.")
    return result.stored_queries[0]


def rules(places: Places, result: Result, every_version: bool) -> list[Rule]:
    """The rules, faults first, then the dearest; those that are still valid, unless `every_version`. Raises Refused if
    there is no such table.
    """
    answer = answer_of(result)
    name = result.rules_table(answer)
    where = "" if every_version else "where valid_to is null"
    rows = query(places, f'select * from "{name}" {where}', name).to_pylist()
    found = [
        Rule(
            tuple(row[part] for part in answer.rules.key),
            *(row[column] for column in ("valid_from", "valid_to", "fault", "hits", "tried", "micros_an_event")),
        )
        for row in rows
    ]
    return sorted(found, key=lambda rule: (rule.fault is None, -rule.micros, -rule.hits, str(rule.key)))


def texts(places: Places, result: Result, key: str) -> list[str | None]:
    """The predicate of the rule with this key, as it is now; none if there is no such rule. Of a key of several
    columns: with commas between.
    """
    answer = answer_of(result)
    name = result.answer_table(answer.rules)
    rows = query(places, f'select * from "{name}" where valid_to is null', name).to_pylist()
    return [row[answer.predicate] for row in rows if ",".join(str(row[part]) for part in answer.rules.key) == key]


def trial(places: Places, result: Result, text: str | None) -> Trial:
    """Try a rule on the events that are kept, whatever their time."""
    answer = answer_of(result)
    table = DeltaTable(places.table(result.events_table(answer.each)))
    kinds = from_arrow_schema(pa.schema(table.schema().to_arrow()))
    name = result.events_table(answer.each)
    columns = ", ".join(f'"{field}"' for field in answer.fields)
    events = query(places, f'select {columns} from "{name}"', name)
    try:
        term = predicate.parse(text or "", _fields(answer, kinds))
    except RuleFault as fault:
        return Trial(str(fault), len(events), "")
    found, effort = RuleSet([term]), Effort(1)
    for _ in found.hits(events, effort, time.perf_counter_ns):
        pass
    micros = float(effort.nanos[0]) / 1_000 / max(len(events), 1)
    return Trial(None, len(events), _index(term), int(effort.tried[0]), int(effort.hits[0]), micros)


def _fields(answer: StoredQueries, kinds: StructType) -> dict[str, Any]:
    return {name: kinds[name].dataType for name in answer.fields}


def _index(term: Term) -> str:
    """The terms by which candidates may be found."""
    found = [
        f"the words of {one.field}" if isinstance(one, Phrase) else f"the values of {one.field}"
        for one in (term.terms if isinstance(term, Every) else (term,))
        if isinstance(one, Missing) or (isinstance(one, Range | Among | Phrase) and not one.is_outside)
    ]
    return " or ".join(dict.fromkeys(found)) or "nothing: it is tried on every event"
