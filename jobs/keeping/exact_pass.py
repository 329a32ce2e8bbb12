"""What the records of a batch come to, whatever they are: the gate judges the doubtful ones, and each partition is put
in order.

The records are read by tasks and cached, as several steps look at them. What Spark has lost of the tasks' reports (see
task_facts) is computed again, once.
"""

from contextlib import ExitStack

import pyarrow as pa
from pyspark.sql import DataFrame

from jobs.answers import batch_plan
from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.decisions import decision
from jobs.events import arrow_step, fast_decoder, gate, lateness, stragglers, task_facts
from jobs.keeping import late_records
from jobs.keeping.outcome import Outcome, count_records
from jobs.log.batch_records import BatchRecords
from jobs.running.errors import Refused

ATTEMPTS = 2
"""To get all that the tasks of one pass report."""


def evaluate(log_records: BatchRecords, result: Result, prior: Prior, cached: ExitStack) -> Outcome:
    """What the records come to; `cached` gets the frames of the outcome.

    Raises Refused if something is missing twice of what Spark's tasks report of the decision.
    """
    records = log_records.frame()
    lateness_facts = task_facts.accumulator(records.sparkSession)
    looked = fast_decoder.decode(records, result.topic, prior.stream_micros, prior.rule, lateness_facts).persist()
    cached.callback(looked.unpersist)
    decoded = fast_decoder.resolve_doubtful(records, looked, result.topic).persist()
    cached.callback(decoded.unpersist)
    facts = [row.asDict() for row in lateness.summarise(decoded, prior.stream_micros, prior.rule).collect()]
    found = stragglers.table(result.topic.TOPIC, facts, prior.rule)
    events = late_records.without(gate.good_events(decoded), found)
    if result.decision:
        events = decision.in_order(events)
    output, changed = _output_of_ordered(events, result, prior, cached)
    has_doubtful = any(fact["quarantined"] for fact in task_facts.drain(lateness_facts).values())
    bad = None
    if any(fact["quarantined"] for fact in facts):
        bad = gate.bad_records(decoded, result.topic.TOPIC)
        bad = bad.unionByName(late_records.to_quarantine(records, found, result, prior.rule))
    return Outcome(facts, output, changed, bad, has_doubtful)


def _output_of_ordered(
    events: DataFrame, result: Result, prior: Prior, cached: ExitStack
) -> tuple[DataFrame, pa.Table | None]:
    """The output of events that are in order, cached, and what they change of the decision's state."""
    for _ in range(ATTEMPTS):
        decision_facts = task_facts.accumulator(events.sparkSession)
        rows = batch_plan.rows_to_answer(result.transform(events), result)
        answered = batch_plan.answer(arrow_step.identity(rows.schema), result, prior, decision_facts)
        output = batch_plan.output(rows, answered, result).persist()
        written, counted = count_records(output, result.count_column), task_facts.total(decision_facts, "records")
        if not result.decision or counted == written:
            cached.callback(output.unpersist)
            return output, batch_plan.changed_state(result, task_facts.drain(decision_facts))
        output.unpersist()
    assert result.decision
    raise Refused(
        f"{result.name}: Spark has lost, twice, what its tasks reported: which {result.decision.state_name} a batch of "
        f"topic {result.topic.TOPIC} changes ({counted:,} records are in the reports, {written:,} in the batch). "
        "Nothing of the batch was written. Run again: the next run does it again. If it comes back, give the driver "
        "more memory and cores."
    )
