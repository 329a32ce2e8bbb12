"""What the next publish of a result would restate: by changes that batches have read, and by those in the log that no
batch has read yet. Nothing is written.
"""

from contextlib import ExitStack
from dataclasses import dataclass, replace

import pyarrow as pa
from deltalake import DeltaTable

from jobs.answers.batch_plan import Prior
from jobs.answers.result import Result
from jobs.facts.kept_events import PLACE
from jobs.keeping import batch_row, housekeeping, ledger
from jobs.keeping.ledger import Row
from jobs.keeping.topic_reader import TopicReader
from jobs.log import home
from jobs.publishing import change_publication, restatement
from jobs.publishing.event_difference import Moment
from jobs.publishing.restatement import PublishedState, Restatement
from jobs.run import Run
from jobs.running import mistakes
from jobs.running.errors import Refused
from jobs.running.instants import to_micros

MOST_UNREAD = 1_000_000
"""So many changes that no batch has read are looked at: they are in memory, about 1 kB each."""


@dataclass(frozen=True)
class Forecast:
    """Of one result."""

    read: int
    """Changes that batches have read, and that are not published."""
    unread: int
    """Changes in the log that no batch has read."""
    answers: tuple[Restatement, ...]


def forecast(run: Run, result: Result) -> Forecast:
    """Raises Refused if the result restates nothing, has not published yet, or has too much to read."""
    if not result.as_of_answers:
        raise Refused(f"{result.name} has no Enriched and no StoredQueries: no version restates its rows.")
    last = ledger.last(run.places, result.name)
    if last is None or not last.published_sequence:
        raise Refused(f"{result.name} has published nothing yet: run its job, there is nothing to restate.")
    at = _published_state(result, last)
    new, read, unread = dict[str, pa.Table](), 0, 0
    for topic in dict.fromkeys(result.change_topic(answer.versions) for answer in result.as_of_answers):
        table = result.events_table(topic)
        kept = DeltaTable(run.places.table(table), version=at.versions[table])
        waiting = change_publication.new_changes(kept, last.published_sequence)
        ahead = _unread_changes(run, result, topic, last)
        read, unread = read + len(waiting), unread + len(ahead)
        new[topic] = pa.concat_tables([waiting, _in_columns(ahead, waiting.schema)])
    found = [
        restatement.forecast(run.places, result, answer, new[result.change_topic(answer.versions)], at)
        for answer in result.as_of_answers
    ]
    return Forecast(read, unread, tuple(found))


def _published_state(result: Result, last: Row) -> PublishedState:
    kept_from = housekeeping.correctable_from(result, last.expired_stream_time)
    complete = to_micros(last.published_complete_time) if last.published_complete_time else 0
    return PublishedState(
        {name: table["version"] for name, table in last.tables.items()},
        Moment(last.published_sequence, max(0, complete), last.open_sequence),
        to_micros(kept_from) if kept_from else None,
    )


def _unread_changes(run: Run, result: Result, topic: str, last: Row) -> pa.Table:
    """The good ones of a topic, after what the ledger has read, in order of offset. Raises Refused if they are more
    than MOST_UNREAD.
    """
    place = result.topics.index(topic)
    reader = TopicReader(run, result.readings[place], place)
    read = last.positions(result.topics)[topic]
    now = home.topic(run.places, topic)
    starts = {partition: read.end_offsets.get(partition, now.firsts[partition]) for partition in now.ends}
    count = sum(max(0, now.ends[partition] - start) for partition, start in starts.items())
    if count > MOST_UNREAD:
        raise Refused(
            f"{result.name}: topic {topic} has {count:,} records that no batch has read, and {MOST_UNREAD:,} is the "
            "most that is looked at before it is done: run the job."
        )
    ahead = replace(read, start_offsets=starts, end_offsets=dict(now.ends))
    prior = Prior(batch_row.stream_micros(read), None, reader.reading.lateness_rule)
    with mistakes.note_location(reader.reading.transform), ExitStack() as cached:
        cached.callback(reader.close)
        output = reader.evaluate(ahead, starts, prior, cached).output
        rows = output if isinstance(output, pa.Table) else output.toArrow()
    return rows.sort_by([(column, "ascending") for column in PLACE])


def _in_columns(rows: pa.Table, columns: pa.Schema) -> pa.Table:
    """The rows in the columns of kept changes, of which a batch adds some: those are null."""
    for field in columns:
        if field.name not in rows.column_names:
            rows = rows.append_column(field.name, pa.nulls(len(rows), field.type))
    return rows.select(columns.names).cast(columns)
