"""How each result is: its state and the reason, what was found, its numbers. Without Java.

`headrace status`, its lines of JSON and everything else that shows results takes them from here, so they cannot
disagree.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.admin import findings, freshness, run_end, standing
from jobs.admin.completeness import Completeness
from jobs.admin.freshness import Objective
from jobs.admin.standing import Facts
from jobs.admin.states import Finding, State
from jobs.admin.units import length
from jobs.keeping import ledger
from jobs.running import one_look
from jobs.running.places import Places


@dataclass(frozen=True)
class Assessment:
    """How one result is."""

    name: str
    state: State
    reason: str
    """Why it has this state; empty if it is ok."""
    findings: tuple[Finding, ...]
    """What `headrace doctor` says, the worst first."""
    facts: Facts | None
    """Its numbers; None if there are none or they cannot be read: the findings say why."""
    last_run: str | None = None
    """How the last run ended, or since when it is at work; None if nothing is known of it."""

    @property
    def needs_somebody(self) -> bool:
        """Whether somebody has to act: exit code 1 of `headrace status` and `headrace doctor`."""
        return any(finding.wrong for finding in self.findings)


@one_look.look()
def assess(places: Places, name: str, objective: Objective | None = None) -> Assessment:
    """How result `name` is. Reads its tables, and asks the log; of a broker that is away it says so.

    Within `jobs.log.kafka.patience.ask_once` a broker is asked once for all results; each table, the lock and how the
    last run ended are looked at once for all that is said of the result.
    """
    found, facts = findings.examine(places, name), standing.read(places, name)
    if isinstance(facts, str):
        if not found:
            found = [Finding(True, f"its numbers {facts}", f"headrace doctor {name}")]
    elif objective is not None:
        found += freshness.examine(facts, objective, datetime.now(UTC))
    found.sort(key=lambda finding: finding.severity)
    known = None if isinstance(facts, str) else facts
    worst = min([*_of_lag(known), *found], key=lambda finding: finding.severity, default=None)
    state, reason = (State.OK, "") if worst is None else (worst.state, worst.what)
    return Assessment(name, state, reason, tuple(found), known, run_end.text(places, name))


def assess_all(places: Places, objective: Objective | None = None) -> list[Assessment]:
    """How each result in the folder of tables is, by name. Raises OSError if the folder cannot be read."""
    return [assess(places, name, objective) for name in ledger.results(places)]


def _of_lag(facts: Facts | None) -> Iterator[Finding]:
    """What the distance to the end of the log makes of the result; nothing that anybody has to do."""
    if facts is None:
        return
    if facts.lag.records is None:
        yield Finding(False, facts.lag.fault or "the log cannot be read", "", State.UNKNOWN)
    elif facts.lag.records:
        what = f"{facts.lag.records:,} records are not read yet, {facts.lag.time_shown} of record time"
        yield Finding(False, what, "", State.BEHIND)


def counts(assessments: Iterable[Assessment]) -> dict[State, int]:
    """How many results have each state, the worst first; states that none has are left out."""
    states = [each.state for each in assessments]
    return {state: states.count(state) for state in State if state in states}


def record(assessment: Assessment) -> dict[str, Any]:
    """All of it as JSON has it: times in ISO 8601, lengths in seconds, null for what is not known."""
    return {
        "name": assessment.name,
        "state": str(assessment.state),
        "reason": assessment.reason,
        "needs_somebody": assessment.needs_somebody,
        "findings": [finding_record(finding) for finding in assessment.findings],
        "last_run": assessment.last_run,
    } | (_numbers(assessment.facts) if assessment.facts else {})


def finding_record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON has it."""
    return {
        "state": str(finding.state),
        "wrong": finding.wrong,
        "what": finding.what,
        "remedy": finding.remedy,
    }


def _numbers(facts: Facts) -> dict[str, Any]:
    median, most, largest = facts.lateness
    return {
        "topics": list(facts.topics),
        "last_batch_time": _time(facts.batch_time),
        "newest_record_time": _time(facts.newest_record_time),
        "records": facts.records,
        "quarantined": facts.waiting,
        "records_by_hour": {_time(hour): records for hour, records in sorted(facts.records_by_hour.items())},
        "requeued": facts.requeued,
        "out_of_order": facts.out_of_order,
        "late": facts.late,
        "late_records": dict(facts.stragglers),
        "lateness_seconds": {"p50": median, "p99": most, "max": largest},
        "lag_records": facts.lag.records,
        "lag_seconds": facts.lag.seconds,
        "unread_deleted_time": _time(facts.lag.deleted_time),
        "unpublished_batches": facts.unpublished,
        "complete": None if facts.completeness is None else _complete(facts.completeness),
        "filter_fill": facts.last.filter_fill,
        "filter_false_positive_rate": facts.last.filter_false_positive_rate,
        "quarantine": [
            {"reason": reason, "field": field, "waiting": waiting, "requeued": requeued}
            for reason, field, waiting, requeued in facts.reasons
        ],
        "partitions": [
            {"topic": topic, "partition": partition, "next_offset": read, "end_offset": end}
            for (topic, partition), (read, end) in sorted(facts.lag.offsets.items())
        ],
        "tables": [
            {"name": name, "rows": rows, "version": version, "path": path} for name, rows, version, path in facts.tables
        ],
        "notes": list(facts.notes),
    }


def _complete(found: Completeness) -> dict[str, Any]:
    holder = found.holder
    held = None if holder is None else {
        "topic": holder.topic,
        "partition": holder.partition,
        "unread_records": holder.unread,
        "silent_seconds": holder.silent_seconds,
    }  # fmt: skip
    return {"time": _time(found.time), "is_set": found.is_set, "held_by": held}


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def complete_text(found: Completeness) -> str:
    """To when a result is complete, and who holds it back, such as: to TIME, held by clicks/3, silent for 2 h."""
    when = f"to {found.time:%Y-%m-%d %H:%M:%S} UTC"
    if found.is_set:
        return f"{when}, set by headrace complete"
    if found.holder is None:
        return when
    holder, place = found.holder, f"{found.holder.topic}/{found.holder.partition}"
    if holder.unread:
        return f"{when}, held by {place}, which has {holder.unread:,} unread records"
    silent = f", silent for {length(holder.silent_seconds)}" if holder.silent_seconds else ""
    return f"{when}, held by {place}{silent}"
