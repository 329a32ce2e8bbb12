"""Changes of tables in PostgreSQL, into the log, without a capture tool: for notebooks and tries on one machine.

A trigger writes each changed row into the database's own log as a message, in the transaction that changes it
(pg_logical_emit_message). So a change that is rolled back is never seen, and changes come in the order of commits, as a
capture tool sees them. The messages are records as jobs/events/changes/keyed_rows.py reads them: the row of its key as
it is now, or null if it is deleted. What a capture tool does besides is left out: rows that were there before are not
told, and neither is a TRUNCATE.
"""

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.log.archive import writer

if TYPE_CHECKING:
    import psycopg

SLOT = "headrace"
"""The replication slot, which remembers what was copied."""
_EMIT = """
create or replace function headrace_emit() returns trigger language plpgsql as $$
declare
    found jsonb := to_jsonb(case when tg_op = 'DELETE' then old else new end);
    made text := extract(epoch from clock_timestamp())::text;
begin
    if tg_op = 'UPDATE' and to_jsonb(old) ->> tg_argv[1] is distinct from found ->> tg_argv[1] then
        perform pg_logical_emit_message(true, tg_argv[0],
            jsonb_build_object('key', to_jsonb(old) ->> tg_argv[1], 'row', null, 'time', made)::text);
    end if;
    perform pg_logical_emit_message(true, tg_argv[0], jsonb_build_object(
        'key', found ->> tg_argv[1], 'row', case when tg_op <> 'DELETE' then found end, 'time', made)::text);
    return null;
end $$
"""


def follow(connection: "psycopg.Connection[Any]", table: str, key: str, topic: str) -> None:
    """From now on each change of a row of `table`, whose key is the column `key`, is a message for `topic`. Makes the
    slot, if there is none. The database must have `wal_level = logical`.
    """
    from psycopg import sql

    connection.execute(_EMIT)
    statement = sql.SQL(
        "create or replace trigger {} after insert or update or delete on {} "
        "for each row execute function headrace_emit({}, {})"
    )
    named = sql.Identifier(f"headrace_{table}")
    connection.execute(statement.format(named, sql.Identifier(table), sql.Literal(topic), sql.Literal(key)))
    slots = connection.execute("select from pg_replication_slots where slot_name = %s", [SLOT]).fetchall()
    if not slots:
        connection.execute("select pg_create_logical_replication_slot(%s, 'test_decoding')", [SLOT])


def copy_new(connection: "psycopg.Connection[Any]", archive: str) -> dict[str, int]:
    """Append the messages since the last time to their topics in the archive, in order; how many, by topic.

    The slot goes on only after that. If it fails in between, they are appended again, and the last row of each key is
    the same.
    """
    lines = connection.execute("select lsn::text, data from pg_logical_slot_peek_changes(%s, null, null)", [SLOT])
    end, records = "", defaultdict[str, list[dict[str, Any]]](list)
    for end, line in lines:  # noqa: B007
        head, _, content = line.partition(" content:")
        if head.startswith("message:"):  # the other lines say the same of tables, in another form
            records[head.partition("prefix: ")[2].rpartition(", sz: ")[0]].append(json.loads(content))
    for topic, messages in records.items():
        rows = [message["row"] for message in messages]
        columns = {
            "key": pa.array([message["key"].encode() for message in messages], pa.binary()),
            "value": pa.array([None if row is None else json.dumps(row).encode() for row in rows], pa.binary()),
            "timestamp": pa.array([round(float(message["time"]) * 1e6) for message in messages]).cast(
                pa.timestamp("us", "UTC")
            ),
        }
        writer.append(archive, topic, None, [pa.record_batch(columns)])
    if end:
        connection.execute("select from pg_replication_slot_advance(%s, %s::pg_lsn)", [SLOT, end])
    return {topic: len(messages) for topic, messages in records.items()}
