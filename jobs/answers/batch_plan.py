"""The steps that turn the records of a batch into panes or rows: composed here, and run by the two passes of keeping.

In the fast pass Arrow decodes the records, and every record is certain; in the exact one the gate has judged them. From
the transform on both are the same.
"""

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from jobs.answers.result import Result
from jobs.events import fast_decoder
from jobs.events.arrow_step import ArrowStep
from jobs.events.lateness_rule import LatenessRule
from jobs.events.task_facts import FactAccumulator, Facts
from jobs.facts import aggregation, kept_events, spells
from jobs.running import spark_plan


@dataclass(frozen=True)
class Prior:
    """The state that earlier batches left. Handed in, not looked up: a retried batch must start from the ledger's last
    row, whatever an unfinished attempt has written since.
    """

    stream_micros: dict[int, int]
    """Stream time of each partition, microseconds since 1970."""
    state: pa.Table | None
    """Of the result's decision, as it is stored; None if it has none."""
    rule: LatenessRule
    """That of the result, with what is known of events that were removed."""


def selected_columns(spark: SparkSession, result: Result) -> list[str] | None:
    """The columns that the transform selects, if it does nothing else: then records need not go to Java. Else None."""
    events = spark_plan.empty_relation(spark, fast_decoder.event_columns(result.topic))
    rows = result.transform(events)
    return rows.columns if spark_plan.is_selection(events, rows) else None


def decode(result: Result, prior: Prior, lateness_facts: FactAccumulator) -> ArrowStep:
    """The step from records of the log to events, as long as they are certain."""
    return fast_decoder.certain_events(result.topic, prior.stream_micros, prior.rule, lateness_facts)


def select(events: ArrowStep, columns: list[str], result: Result) -> ArrowStep:
    """The step after `events`, of a transform that selects `columns`, to those that `answer` takes."""
    rows = events.select(result.needed_columns(columns))
    if not result.decision:
        return rows
    prepared = result.decision.prepare(rows)
    return prepared.select(_prepared_names(prepared.output.names, result))


def rows_to_answer(rows: DataFrame, result: Result) -> DataFrame:
    """Of the rows that a transform has returned, the columns that `answer` takes."""
    rows = rows.select(*result.needed_columns(rows.columns))
    if not result.decision:
        return rows
    rows = result.decision.prepare_frame(rows)
    return rows.select(*_prepared_names(rows.columns, result))


def _prepared_names(names: list[str], result: Result) -> list[str]:
    """Columns that are needed once the decision is prepared: those that it has replaced only if they are stored."""
    assert result.decision
    replaced = result.decision.replaced_columns
    return [name for name in names if not result.panes or name in result.panes.columns or name not in replaced]


def answer(rows: ArrowStep, result: Result, prior: Prior, decision_facts: FactAccumulator) -> ArrowStep:
    """The step after `rows` in which each record gets the columns of the decision, if the result has one."""
    if not result.decision:
        return rows
    assert prior.state is not None
    return rows.then(result.decision.step(rows.output, prior.state, decision_facts))


def output(frame: DataFrame, answered: ArrowStep, result: Result) -> DataFrame:
    """Partial panes, spells, rows, or events: what comes of `frame` by the step `answered`, in tasks."""
    if result.sessions:
        facts = result.sessions.spells
        parts = answered.then(spells.partial_step(answered.output, facts)).over(frame)
        by_group = parts.repartition(*facts.by) if facts.by else parts.repartition(1)
        return spells.combine_step(answered.output, facts).over(by_group)
    if not result.panes:
        return _with_hash(answered, result).over(frame)
    partial_panes = answered.then(aggregation.partial_step(answered.output, result.panes)).over(frame)
    return aggregation.combine(partial_panes, answered.output, result.panes)


def _with_hash(answered: ArrowStep, result: Result) -> ArrowStep:
    """The step, after which events that are kept have the hash of their group."""
    if result.events_by is None:
        return answered
    return answered.then(kept_events.hash_step(answered.output, result.events_by))


def output_here(answered: ArrowStep, result: Result) -> ArrowStep:
    """The step that does `output` in one process."""
    if result.sessions:
        parts = answered.then(spells.partial_step(answered.output, result.sessions.spells))
        return parts.then(spells.combine_step(answered.output, result.sessions.spells))
    if not result.panes:
        return _with_hash(answered, result)
    partial_panes = answered.then(aggregation.partial_step(answered.output, result.panes))
    return partial_panes.then(aggregation.combine_step(answered.output, result.panes))


def changed_state(result: Result, decision_facts: Facts) -> pa.Table | None:
    """What of the decision's state has changed, see Decision.changed_state; None if the result has no decision."""
    return result.decision.changed_state(decision_facts) if result.decision else None
