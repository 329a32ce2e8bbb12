"""The stored filters of a result with membership: read as the ledger knows them, and replaced by those of a batch."""

from datetime import timedelta

import pyarrow as pa

from jobs.answers.result import Result
from jobs.keeping.ledger import Row
from jobs.lake import commits, delta_tables, table_queries
from jobs.running.instants import EPOCH, sql_literal, to_micros
from jobs.running.places import Places


def read(places: Places, result: Result, last: Row) -> pa.Table:
    """The filters as ledger row `last` knows them, in the columns of schemas/filters.py. There may be newer ones, of a
    batch that was not closed.
    """
    name = result.table("filters")
    return table_queries.read(places.table(name), last.tables[name]["version"])


def replace(places: Places, result: Result, filters: pa.Table, commit: commits.Commit) -> None:
    """Write the filters that a batch changed (seen_before.changed_filters), and drop those too old to be asked."""
    sequence = pa.array([commit.sequence] * filters.num_rows, pa.int64())
    path = places.table(result.table("filters"))
    delta_tables.replace(filters.append_column("sequence", sequence), path, _predicate(filters, result), commit)


def _predicate(filters: pa.Table, result: Result) -> str:
    """SQL that holds for the stored filters which `filters` replace, and for those that are too old to be asked."""
    membership = result.membership
    assert membership
    rows = filters.drop_columns(["bits"]).to_pylist()
    allowed = result.lateness_rule.allowed_seconds
    streams = {row["partition"]: to_micros(row["stream_time"]) for row in rows}
    oldest = {partition: membership.oldest_bucket(micros, allowed) for partition, micros in streams.items()}
    length = timedelta(microseconds=membership.bucket_micros)
    conditions = [(partition, "<", EPOCH + bucket * length) for partition, bucket in sorted(oldest.items())]
    conditions += [(row["partition"], "=", row["bucket_time"]) for row in rows]
    return " or ".join(
        f"(partition = {partition} and bucket_time {sign} {sql_literal(time)})" for partition, sign, time in conditions
    )
