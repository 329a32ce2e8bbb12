"""One result in detail, as tables."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from jobs.admin.assessment import Assessment, complete_text
from jobs.admin.overview import STYLES
from jobs.admin.standing import Facts
from jobs.admin.terminal import printable
from jobs.admin.units import length


def tables(assessment: Assessment) -> Iterator[Table]:
    """Its state and numbers, partitions, quarantine, tables; the first one alone if it has no numbers."""
    facts, state = assessment.facts, assessment.state
    first = Table("", printable(assessment.name), show_header=True, title_justify="left")
    first.add_row("state", Text(str(state), style=STYLES.get(state, "")))
    if assessment.reason and assessment.reason not in [finding.what for finding in assessment.findings]:
        first.add_row("", Text(printable(assessment.reason)))
    for finding in assessment.findings:
        remedy = f" -> {finding.remedy}" if finding.remedy else ""
        first.add_row("", Text(printable(f"{finding.what}{remedy}")))
    for name, text in () if facts is None else _numbers(facts):
        first.add_row(name, Text(printable(text), overflow="fold"))
    yield first
    if facts is not None:
        yield _partitions(facts)
        if facts.reasons:
            yield _quarantine(facts)
        yield _tables(facts)


def _numbers(facts: Facts) -> Iterator[tuple[str, str]]:
    half, most, latest = facts.lateness
    last = facts.last
    yield "topic" if len(facts.topics) == 1 else "topics", ", ".join(facts.topics)
    yield "last batch", f"generation {last.generation}, batch {last.batch_id}, {facts.last_batch} UTC"
    if facts.newest_record_time is not None:
        yield "newest record", f"{facts.newest_record_time:%Y-%m-%d %H:%M:%S} UTC"
    yield "records", f"{facts.records:,} read, {facts.records - facts.waiting:,} good"
    yield "lag", f"{facts.lag.records_shown} records, {facts.lag.time_shown} of record time"
    yield "quarantined", f"{facts.waiting:,} waiting, {facts.requeued:,} requeued"
    yield "out of order", f"{facts.out_of_order:,}, late {facts.late:,}"
    yield "lateness", f"p50 {length(half)}, p99 {length(most)}, largest {length(latest)}"
    yield "published", facts.published_state
    waiting = sum(each["waiting"] for each in last.transactions.values())
    if waiting:
        yield "transactions", f"{waiting:,} changes wait for the rest of their transactions"
    if facts.stragglers:
        yield "stragglers", ", ".join(f"{count:,} {done}" for done, count in facts.stragglers)
    if facts.completeness is not None:
        yield "complete", complete_text(facts.completeness)
    if last.filter_fill is not None:
        rate = f"{last.filter_false_positive_rate or 0:.2g}"
        yield "filters", f"{last.filter_fill:.1%} of the bits are set in the fullest, false positives {rate}"
    if facts.lag.deleted_time is not None:
        yield "retention", f"begins to delete unread records at {facts.lag.deleted_time:%Y-%m-%d %H:%M:%S} UTC"
    for note in facts.notes:
        yield "note", note


def _partitions(facts: Facts) -> Table:
    partitions = Table("partition", "read to offset", "log ends at", "unread")
    for (topic, partition), (read, end) in sorted(facts.lag.offsets.items()):
        shown = str(partition) if len(facts.topics) == 1 else f"{topic}/{partition}"
        after, unread = ("-", "-") if end is None else (f"{end:,}", f"{max(0, end - read):,}")
        partitions.add_row(Text(printable(shown), overflow="fold"), f"{read:,}", after, unread)
    return partitions


def _quarantine(facts: Facts) -> Table:
    reasons = Table("quarantined for", "field", "waiting", "requeued")
    for reason, field, waiting, requeued in facts.reasons:
        reasons.add_row(reason, Text(printable(field or "-"), overflow="fold"), f"{waiting:,}", f"{requeued:,}")
    return reasons


def _tables(facts: Facts) -> Table:
    tables = Table("table", "rows", "version", "path")
    for name, rows, version, path in facts.tables:
        texts = (Text(printable(text), overflow="fold") for text in (name, path))
        tables.add_row(next(texts), "-" if rows is None else f"{rows:,}", str(version), next(texts))
    return tables
