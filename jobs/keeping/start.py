"""Where a run goes on, in the log and in the tables: the ledger is read once, and each step passes its row on."""

from dataclasses import replace

from jobs.answers.result import Result
from jobs.keeping import delivery_topics, ledger, log_position, recovery
from jobs.log import home
from jobs.run import Run


def start(run: Run, result: Result) -> recovery.Start:
    """Check log and tables against the ledger, mend what can be mended, and say where to go on. Writes ledger rows for
    a start that the run asks for, for lost records that it accepts, and for a new generation of the checkpoint.

    Raises Refused when log or tables are not as they must be; see log_position.check and recovery.resume_from; and if
    another result delivers to a topic to which this one is to deliver.
    """
    last = ledger.last(run.places, result.name)
    delivery_topics.check_free(run.places, result, last)
    if last is None:
        topics = [home.topic(run.places, name) for name in result.topics]
    else:
        topics, last = log_position.check(run, result, last)
        # Before the checkpoint is compared with the ledger: it may have begun at another start than is asked for now.
        last = log_position.record_start(run, result, last)
    begun = recovery.resume_from(run.spark, run.places, result, last, topics=topics, step=run.step)
    for note in begun.notes:
        run.say(f"{result.name}: {note}")
    if last is None:  # only now is there a ledger that can have the start
        begun = replace(begun, last=log_position.record_start(run, result, begun.last))
    return begun
