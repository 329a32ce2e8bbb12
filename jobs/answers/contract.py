"""Can a result be kept as its job file says? Names and types, checked before any table is created."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql.types import (
    BinaryType,
    BooleanType,
    DataType,
    DateType,
    LongType,
    NumericType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.answers import table_names
from jobs.answers.event_rows.event_answer import EventAnswer
from jobs.answers.sessions import Sessions
from jobs.answers.top import Top
from jobs.answers.windows import EARLIER_KIND, Windows, merging
from jobs.decisions.decision import Decision
from jobs.events.topic_schema import PRIVATE
from jobs.facts import aggregation, kept_events, spells
from jobs.facts.panes import Panes
from jobs.facts.statistics.statistic import Statistic
from jobs.running import spark_plan
from jobs.running.errors import Mistake

OWN = ("sequence", "revision", "updated_time", "seen_before", "due_time", "final")
"""Columns that headrace adds to tables of results, beside those of panes and windows: pane_start, window_kind,
window_start, window_end, lg_k, and a statistic's such as delay_mean."""
NEVER = ' ,;{}()\n\t=.`"'
"""Characters that the name of a column must not have in a table: Delta refuses most of them, or has to quote them."""

_GROUPS = (StringType, BooleanType, NumericType, DateType, TimestampType, BinaryType)
_COMBINING = {
    "Aggregate": "groupBy or an aggregate",
    "Distinct": "distinct",
    "Deduplicate": "distinct or dropDuplicates",
    "Window": "a window function",
    "GlobalLimit": "limit",
    "LocalLimit": "limit",
    "Offset": "offset",
    "Tail": "tail",
    "Sample": "sample",
}
"""Nodes of Spark's plan that make one row of several, and what an author writes to get them."""


def check_name(name: str) -> None:
    """Raises Mistake unless a result may have this name, which its tables, checkpoints and consumer group get too."""
    plain = name.replace("_", "").replace("-", "").replace(".", "")
    if not (plain.isascii() and plain.isalnum()):
        raise Mistake(f"the result's name {name!r} takes letters, digits, _, - and dots, such as departure_delay_v1")
    for suffix in map(table_names.suffix, table_names.KINDS):
        if name.lower().endswith(suffix):
            raise Mistake(f"{name}: other tables of results end with {suffix}; take another name")


def check_panes(name: str, panes: Panes, kinds: StructType | None = None) -> None:
    """Raises Mistake if two columns of the tables would have the same name, or one a name that no table takes.

    `kinds`: the columns of events, if their types are known.
    """
    kinds = kinds or StructType([StructField(column, LongType()) for column in panes.columns])
    partials = aggregation.output(kinds, panes)
    windows = merging.output(partials, panes).names
    for table, added in ((partials.names, OWN[:1]), (windows, (*OWN[1:3], EARLIER_KIND))):
        _check_columns(name, [*table, *added], (*panes.columns, panes.count))


def check_rows(name: str, rows: StructType, decided: StructType) -> None:
    """Raises Mistake if the rows that a transform gives cannot be the rows of a table with the columns `decided`."""
    _check_columns(name, [*rows.names, *decided.names, OWN[0]], rows.names)


def check_rankings(name: str, answers: Any) -> None:
    """Raises Mistake if the answers of a result have a Top, and not the Windows that it ranks before it."""
    given = answers if isinstance(answers, tuple) else (answers,)
    if not any(isinstance(each, (Windows, Top)) for each in given) or isinstance(answers, Windows):
        return
    if not isinstance(given[0], Windows) or not all(isinstance(each, Top) for each in given[1:]):
        raise Mistake(
            f"{name}: several answers are Windows and the Tops that rank them, in this order: (Windows(PANES, ...), "
            "Top(10, ...)), or answers of events alone"
        )
    for ranking in given[1:]:
        if not ranking.name:
            raise Mistake(f"{name}: the windows have the table {name}: give each Top a name of its own")


def check_ranking(name: str, ranking: Top, windows: StructType, by: tuple[str, ...]) -> None:
    """Raises Mistake if windows of these columns, with a row for each of the groups `by`, cannot be ranked."""
    try:
        ranking.check(windows, by)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None
    columns = ranking.columns(windows).names
    _check_columns(name, [*columns, *OWN[1:3]], set(columns) - set(OWN))


def check_tables(name: str, topics: Sequence[str], answers: Sequence[EventAnswer], others: Sequence[str] = ()) -> None:
    """Raises Mistake if two topics or answers would have the same table, or answers unlike groups. `topics`: of which
    events are kept; `others`: names of other answers.
    """
    for topic, times in Counter(topics).items():
        if times > 1:
            raise Mistake(f"{name}: reads topic {topic} twice. Read it once, with a transform for both")
    parts = [*topics, *(answer.name for answer in answers), *others]
    for part, times in Counter(part.lower() for part in parts).items():
        if times > 1:
            raise Mistake(
                f"{name}: two of its tables would be called {table_names.part(name, part)}: give each answer a name of "
                'its own, .named("..."), which no topic of the result has'
            )
        if part in table_names.KINDS:
            raise Mistake(
                f"{name}: {table_names.part(name, part)} is a table of headrace: take another name than {part}"
            )
    for answer in answers:
        if answer.by != answers[0].by:
            raise Mistake(
                f"{name}: its answers group by {', '.join(answers[0].by)} and by {', '.join(answer.by)}. Events are "
                "kept by one group: make two results"
            )


def check_sessions(name: str, events: StructType, sessions: Sessions) -> None:
    """Raises Mistake if sessions cannot be made of events of these columns."""
    facts = sessions.spells
    _check_types(name, {field.name: field.dataType for field in events}, facts.by, facts.statistics)
    stored = spells.output(events, facts)
    for table, added in ((stored.names, OWN[:1]), (sessions.columns(stored).names, OWN[1:3])):
        _check_columns(name, [*table, *added], (*facts.columns, facts.count))


def check_kept(name: str, topic: str, events: StructType, by: tuple[str, ...]) -> None:
    """Raises Mistake if the events that the transform of a topic gives cannot be kept, with the group `by`."""
    for column in by:
        if not isinstance(events[column].dataType, _GROUPS):
            kind = _type_text(events[column].dataType)
            raise Mistake(f"{name}: by has {column}, which is {kind} in topic {topic}: no group. Take a field of it")
    _check_columns(name, [*kept_events.output(events).names, OWN[0]], events.names)


def check_own_columns(name: str, columns: StructType) -> None:
    """Raises Mistake if the rows of an answer cannot have these columns beside those of headrace."""
    _check_columns(name, [*columns.names, *OWN[1:3]], set(columns.names) - set(OWN))


def check_own_names(name: str, columns: StructType, given: Iterable[str]) -> None:
    """Raises Mistake if a table cannot have these columns, of which `given` come from the transform."""
    _check_columns(name, columns.names, given)


def check_answer(name: str, answer: EventAnswer, given: Mapping[str, StructType]) -> None:
    """Raises Mistake if an answer cannot be given of events of these columns, by topic."""
    try:
        answer.check(given)
    except Mistake as mistake:
        raise Mistake(f"{name}: {mistake}") from None
    columns = answer.columns(given).names
    _check_columns(name, [*columns, *OWN[1:3]], set(columns) - set(OWN))


def _check_columns(name: str, columns: Iterable[str], given: Iterable[str]) -> None:
    own = set(given)
    for lowered, times in Counter(column.lower() for column in columns).items():
        if times > 1:
            culprits = sorted(column for column in own if column.lower() == lowered) or sorted(
                column for column in own if lowered.startswith(column.lower())
            )
            raise Mistake(
                f"{name}: the tables of the result would have two columns {lowered} (capital and small letters are the "
                f'same). Rename {", ".join(culprits)} in the transform: F.col("{culprits[0]}").alias("...")'
            )
    for column in own:
        wrong = sorted(set(column) & set(NEVER))
        if wrong or column.startswith(PRIVATE) or not column:
            why = f"has {' '.join(map(repr, wrong))}" if wrong else f"begins with {PRIVATE}" if column else "is empty"
            raise Mistake(
                f"{name}: a column of a table cannot be called {column!r}, which {why}. Rename it in the transform: "
                f'F.col("`{column}`").alias("...")'
            )


def check_transformed(name: str, transformed: Any) -> None:
    """Raises Mistake unless a transform has given a frame whose rows each come of one event: what combines events would
    see those of one batch alone, and depend on how the log is cut.
    """
    if not isinstance(transformed, DataFrame):
        kind = "nothing" if transformed is None else f"a {type(transformed).__name__}"
        raise Mistake(f"{name}: the transform returns {kind}; return the frame, such as events.select(...)")
    operation = _combining_operation(spark_plan.analysed_plan(transformed))[1]
    if operation:
        raise Mistake(
            f"{name}: the transform combines events ({operation}), and would see those of one batch only. It goes row "
            "by row: select, where, withColumn, explode. What is counted or averaged stands in Panes"
        )


def check_event_time(name: str, transformed: DataFrame) -> None:
    """Raises Mistake if a transform gives events another time: what is late, final, or needed no longer is decided by
    the one of the schema file.
    """
    if not spark_plan.passes_on(transformed, "event_time"):
        raise Mistake(
            f"{name}: the transform changes event_time, by which the result knows what is late and what is final. "
            "Leave it as it is, select another time under a name of its own, or let EVENT_TIME in the schema file name "
            "another field"
        )


def _combining_operation(node: Any) -> tuple[bool, str]:
    """Whether the events are below the node, and the operation that combines them, or "". A table that is joined may
    have any operation in it.
    """
    children = spark_plan.members(node.children())
    below = [_combining_operation(child) for child in children]
    kind = spark_plan.node_name(node)
    ours = any(events for events, _ in below) if children else kind == "Range"
    inside = next((operation for _, operation in below if operation), "")
    return ours, inside or (_COMBINING.get(kind, "") if ours else "")


def check_events(
    name: str, events: StructType, needed: list[str], panes: Panes | None, decision: Decision | None
) -> None:
    """Raises Mistake unless the `needed` columns of a transform are there, once each, with types that panes and
    decisions can use.
    """
    kinds = {field.name: field.dataType for field in events}
    decided = decision.columns if decision else StructType()
    missing = [column for column in dict.fromkeys(needed) if column not in kinds and column not in decided.names]
    if missing:
        there = ", ".join(events.names)
        raise Mistake(f"{name}: the transform does not return {', '.join(missing)}; it returns {there}")
    for column, times in Counter(events.names).items():
        if times > 1 and (column in needed or not panes):
            raise Mistake(f"{name}: the transform returns {column} {times} times. Select it once, or rename one")
    if not isinstance(kinds["event_time"], TimestampType):
        raise Mistake(
            f"{name}: event_time is {_type_text(kinds['event_time'])} after the transform; leave it a timestamp"
        )
    if decision:
        try:
            decision.check(events)
        except Mistake as mistake:
            raise Mistake(f"{name}: {mistake}") from None
    if panes:
        kinds |= {field.name: field.dataType for field in decided}
        _check_types(name, kinds, panes.by, panes.statistics)
        check_panes(name, panes, StructType([StructField(column, kind) for column, kind in kinds.items()]))
    else:
        check_rows(name, events, decided)


def _check_types(name: str, kinds: Mapping[str, DataType], by: Sequence[str], statistics: Sequence[Statistic]) -> None:
    for column in by:
        plain = not isinstance(kinds[column], StringType) or kinds[column] == StringType()
        if not isinstance(kinds[column], _GROUPS) or not plain:
            remedy = 'Group by a field of it, F.col("place.city").alias("city"), or by a text made of it'
            raise Mistake(f"{name}: by has {column}, which is {_type_text(kinds[column])}: no group. {remedy}")
    for statistic in statistics:
        fault = statistic.fault(kinds[statistic.column]) if statistic.column is not None else None
        if fault is not None:
            raise Mistake(f"{name}: {fault}")


def _type_text(kind: DataType) -> str:
    return str(kind.simpleString())
