"""The steps that turn the records of a batch into panes or rows: composed here, and started by keeping.evaluation.

In the fast plan Arrow decodes the records, and every record is certain; in the exact one the gate has judged them. From
the transform on both are the same.
"""

from dataclasses import dataclass

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.answers.result import Result
from jobs.decisions import seen_before
from jobs.events import fast_decoder
from jobs.events.arrow_step import ArrowStep
from jobs.events.task_facts import FactAccumulator, Facts
from jobs.facts import aggregation
from jobs.running import durations, spark_plan


@dataclass(frozen=True)
class Prior:
    """The state that earlier batches left. Handed in, not looked up: a retried batch must start from the ledger's last
    row, whatever an unfinished attempt has written since.
    """

    stream_micros: dict[int, int]
    """Stream time of each partition, microseconds since 1970."""
    filters: pa.Table | None
    """In the columns of schemas/filters.py; None if the result has no membership."""


def fast_output(
    records: DataFrame, result: Result, prior: Prior, lateness_facts: FactAccumulator, filter_facts: FactAccumulator
) -> tuple[DataFrame, bool]:
    """The output of records that are all certain, and whether each of them goes into it, because the transform only
    selects columns: then records go to Python once, not twice.
    """
    allowed = allowed_seconds(result)
    decoded = fast_decoder.decode(records, result.topic, prior.stream_micros, allowed, lateness_facts)
    events = fast_decoder.good_events(decoded)
    rows = result.transform(events)
    if not spark_plan.is_selection(events, rows):
        return output(rows, result, prior, filter_facts), False
    return _selected_output(records, rows.columns, result, prior, lateness_facts, filter_facts), True


def _selected_output(
    records: DataFrame,
    columns: list[str],
    result: Result,
    prior: Prior,
    lateness_facts: FactAccumulator,
    filter_facts: FactAccumulator,
) -> DataFrame:
    """The output of a transform that selects `columns`, all in one step."""
    frame, names = fast_decoder.flatten(records), result.needed_columns(columns)
    if result.membership:
        frame, names = seen_before.with_key_hash(frame, "key"), _hashed_names([*names, seen_before.HASH.name], result)
    added = (seen_before.HASH,) if result.membership else ()
    decode = fast_decoder.decode_step(result.topic, prior.stream_micros, allowed_seconds(result), lateness_facts, added)
    select = fast_decoder.select_good_step(decode.output, names)
    return _answer_and_aggregate(frame, decode.then(select), result, prior, filter_facts)


def output(rows: DataFrame, result: Result, prior: Prior, filter_facts: FactAccumulator) -> DataFrame:
    """Partial panes, or rows, of the `rows` that the transform has returned."""
    rows = rows.select(*result.needed_columns(rows.columns))
    if result.membership:
        rows = seen_before.with_key_hash(rows)
        rows = rows.select(*_hashed_names(rows.columns, result))
    unchanged = ArrowStep(lambda batches: batches, rows.schema)
    return _answer_and_aggregate(rows, unchanged, result, prior, filter_facts)


def _hashed_names(names: list[str], result: Result) -> list[str]:
    """Columns that are needed once keys are hashed: the key itself only if panes have it."""
    needs_key = not result.panes or "record_key" in result.panes.columns
    return [name for name in names if needs_key or name != "record_key"]


def _answer_and_aggregate(
    frame: DataFrame, step: ArrowStep, result: Result, prior: Prior, filter_facts: FactAccumulator
) -> DataFrame:
    """The output of `frame` after `step`: membership answers each record, then panes add the records up."""
    if result.membership:
        allowed = allowed_seconds(result)
        step = step.then(seen_before.mark_step(step.output, prior.filters, result.membership, allowed, filter_facts))
    return aggregation.aggregate(frame, result.panes, step) if result.panes else step.over(frame)


def changed_filters(result: Result, filter_facts: Facts) -> pa.Table | None:
    """The filters that changed, in the columns of seen_before.changed_filters; None if the result has no membership."""
    return seen_before.changed_filters(filter_facts) if result.membership else None


def allowed_seconds(result: Result) -> int:
    """How far a record may be behind stream time before it is late, in seconds."""
    return durations.seconds(result.allowed_lateness)
