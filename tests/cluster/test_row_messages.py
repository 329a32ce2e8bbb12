"""Changed rows of a real PostgreSQL come into the archive as records, in the order of commits."""

import json
from typing import Any

import pyarrow as pa
import pytest

from jobs.admin.database import row_messages
from jobs.log import home
from jobs.log.archive import writer
from jobs.run import Places
from tests.cluster.postgres import Postgres


def records(places: Places, topic: str) -> list[tuple[bytes, Any]]:
    """Key and row of each record of a topic with one partition, after the first one."""
    found = home.records(places, topic, 0, 1, 100).to_pylist()
    return [(one["key"], one["value"] and json.loads(one["value"])) for one in found]


def test_changed_rows_come_in_the_order_of_commits(
    postgres: Postgres, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_record = pa.record_batch(
        {"key": [b"k"], "value": [b"{}"], "timestamp": pa.array([0], pa.timestamp("us", "UTC"))}
    )
    for topic in ("planes", "crews"):  # of one partition, which has one order
        writer.append(places.archive, topic, 1, [first_record])
    postgres.execute("create table planes (id text primary key, seats int)", "create table crews (id int primary key)")
    with postgres.connect() as connection:
        row_messages.follow(connection, "planes", "id", "planes")
        row_messages.follow(connection, "crews", "id", "crews")
        first, second = postgres.connect(autocommit=False), postgres.connect(autocommit=False)
        with first, second:
            first.execute("insert into planes values ('early', 1)")
            second.execute("insert into planes values ('a content: of text', 2)")
            second.commit()
            first.commit()
            second.execute("insert into planes values ('never', 3)")
            second.rollback()
        postgres.execute("insert into crews values (7)", "update planes set id = 'late', seats = null where seats = 1")
        postgres.execute("delete from planes where seats = 2")
        with monkeypatch.context() as broken:
            broken.setattr(writer, "append", None)
            with pytest.raises(TypeError):
                row_messages.copy_new(connection, places.archive)
        assert row_messages.copy_new(connection, places.archive) == {"planes": 5, "crews": 1}
        assert row_messages.copy_new(connection, places.archive) == {}
    assert records(places, "planes") == [
        (b"a content: of text", {"id": "a content: of text", "seats": 2}),
        (b"early", {"id": "early", "seats": 1}),
        (b"early", None),
        (b"late", {"id": "late", "seats": None}),
        (b"a content: of text", None),
    ]
    assert records(places, "crews") == [(b"7", {"id": 7})]
