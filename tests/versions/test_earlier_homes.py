"""What an earlier version has read from Kafka goes on, without a broker: the archive has a copy of the topic.

With the broker itself: tests/cluster/test_earlier_kafka.py.
"""

import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs import run
from jobs.admin import findings, standing
from jobs.keeping import ledger, microbatch
from jobs.log.archive import compaction, file_reader, retention, snapshot, writer
from jobs.log.archive.snapshot import Snapshot
from jobs.log.audit import Audit, audit
from jobs.running.errors import Refused
from tests.versions import carried, earlier_homes
from tests.versions.earlier_homes import CARRIED, COMPACTED_MS, DAY_MS

Held = dict[int, dict[int, tuple[bytes | None, bytes | None]]]
"""By partition and offset: key and value."""


@pytest.fixture(params=["0.2.0"])
def begun(request: pytest.FixtureRequest, places: run.Places) -> run.Places:
    """The archive and the tables of an earlier version; its checkpoints were lost."""
    with tarfile.open(carried.HERE / f"{request.param}-homes.tar.gz") as packed:
        packed.extractall(Path(places.archive).parent, filter="data")
    return places


def held(places: run.Places) -> Held:
    """The records of the topic `states`."""
    parts = {part: snapshot.records(places.archive, "states", part, 0, 1000).to_pylist() for part in (0, 1)}
    return {part: {row["offset"]: (row["key"], row["value"]) for row in rows} for part, rows in parts.items()}


def latest(found: Held) -> dict[bytes, bytes | None]:
    """The last value of each key."""
    return {key: value for rows in found.values() for _, (key, value) in sorted(rows.items()) if key is not None}


def without_a_key(found: Held) -> list[bytes | None]:
    """The values of the records without a key."""
    return sorted((value for rows in found.values() for key, value in rows.values() if key is None), key=str)


def test_a_result_that_read_kafka_goes_on_from_the_copy_in_the_archive(
    a_run: Callable[..., run.Run], begun: run.Places
) -> None:
    assert carried.published(begun) == carried.expected(earlier_homes.READ)
    microbatch.keep(a_run(), CARRIED)
    assert carried.published(begun) == carried.expected(earlier_homes.ALL)
    last = ledger.last(begun, "carried_v1")
    assert last and last.log_home == "archive" and last.end_offsets == {0: 36, 1: 17}


def test_doctor_and_status_read_what_the_earlier_version_has_written(begun: run.Places) -> None:
    assert [found.what for found in findings.examine(begun, "carried_v1") if found.wrong] == []
    found = standing.read(begun, "carried_v1")
    assert isinstance(found, standing.Facts) and found.last.topic_id and found.last.log_home == "kafka"


def test_a_result_of_kafka_is_refused_by_an_archive_that_is_no_copy_of_its_topic(
    a_run: Callable[..., run.Run], begun: run.Places, tmp_path: Path
) -> None:
    other = begun.model_copy(update={"archive": f"{tmp_path}/other"})
    writer.append(other.archive, "readings", 2, [earlier_homes.batch_of_readings(0, earlier_homes.ALL)])
    before = ledger.last(other, "carried_v1")
    with pytest.raises(Refused, match=r"another log \(kafka before, archive now\)"):
        microbatch.keep(run.Run(a_run().spark, other), CARRIED)
    assert ledger.last(other, "carried_v1") == before
    assert carried.published(other) == carried.expected(earlier_homes.READ)


def test_the_copy_says_where_it_begins_and_what_was_read_for_it(begun: run.Places) -> None:
    empty = "no committed record when it was read"
    assert audit(begun, "readings") == [Audit(0, 3, 36, 30, explained={empty: 3}), Audit(1, 0, 17, 17)]
    files = Snapshot(begun.archive, "readings").refresh().files
    covered = [(file.partition, file_reader.covered_offsets(file)) for file in files]
    assert covered == [(0, (3, 20)), (0, (20, 36)), (1, (0, 10)), (1, (10, 17))]


def test_a_producer_is_kept_away_from_the_copy(begun: run.Places) -> None:
    with pytest.raises(Refused, match="is a copy of Kafka's"):
        writer.append(begun.archive, "readings", 2, [earlier_homes.batch_of_readings(0, 1)])


def test_compaction_and_retention_go_on_where_they_were(begun: run.Places) -> None:
    """Forty records are there; twenty more come. A tombstone that was met a day ago leaves, later ones stay."""
    log = Snapshot(begun.archive, "states").refresh()
    assert (log.ends, log.firsts()) == ({0: 17, 1: 23}, {0: 3, 1: 0})
    assert latest(held(begun))[b"gone"] is None
    done = writer.append(begun.archive, "states", None, [earlier_homes.batch_of_states(40, 60)])
    starts = {part: span[0] for part, span in done.ranges.items()}
    assert starts == {0: 17, 1: 23} and done.records == 20
    log = log.refresh()
    parts = compaction.plan(begun.archive, "states", log.ends, COMPACTED_MS + DAY_MS, DAY_MS)
    compaction.compact(begun.archive, "states", log.firsts(), parts, COMPACTED_MS + DAY_MS)

    states = earlier_homes.states(0, 60)
    due = {state.key: state.value for state in states if state.key is not None}
    del due[b"gone"]
    found = held(begun)
    assert latest(found) == due and None in due.values()
    assert sum(key is not None for rows in found.values() for key, _ in rows.values()) == len(due)
    alone = [state.value for state in states if state.key is None]
    assert without_a_key(found) == sorted(set(alone) - {b"6"}, key=str), "the retention of 0.2.0 took 6"
    assert all(one.whole for one in audit(begun, "states"))


def test_a_tombstone_that_was_met_less_than_a_day_ago_stays(begun: run.Places) -> None:
    log = Snapshot(begun.archive, "states").refresh()
    soon = COMPACTED_MS + DAY_MS - 1
    parts = compaction.plan(begun.archive, "states", log.ends, soon, DAY_MS)
    compaction.compact(begun.archive, "states", log.firsts(), parts, soon)
    assert latest(held(begun))[b"gone"] is None


def test_retention_takes_no_offset_back(begun: run.Places) -> None:
    retention.remove(begun.archive, "states", {0: 17, 1: 23})
    log = Snapshot(begun.archive, "states").refresh()
    assert log.ends == log.firsts() == {0: 17, 1: 23} and held(begun) == {0: {}, 1: {}}
    done = writer.append(begun.archive, "states", None, [earlier_homes.batch_of_states(40, 42)])
    assert {span[0] for span in done.ranges.values()} <= {17, 23}
