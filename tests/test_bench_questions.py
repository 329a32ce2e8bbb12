"""What headrace's peers are asked too: the right answers, by hand and by plain Python, and the logs they come from."""

import importlib.util
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module
from itertools import pairwise
from pathlib import Path

import beside_peers
import flink_job
import pyarrow as pa
import pytest
from questions import event_log, login_log
from questions.join.data import QUESTION as JOIN
from questions.patterns.data import QUESTION as PATTERNS
from questions.patterns.spark import follow
from questions.question import Question, difference
from questions.sessions.data import QUESTION as SESSIONS

MINUTE = 60_000
RECORDS = 6_000
Login = tuple[str, int, int, bool]
"""User, id, when in milliseconds, and whether it failed."""


def logins_of(question: Question, records: int) -> list[Login]:
    """The records, in the order in which they came."""
    values = [json.loads(v) for batch in question.batches("logins", records) for v in batch["value"].to_pylist()]
    return [(value["user"], value["id"], value["ts"], value["failed"]) for value in values]


def by_user(logins: list[Login]) -> dict[str, list[tuple[int, int, bool]]]:
    """Of each user when, which, and whether it failed, in order of time."""
    users = defaultdict(list)
    for user, number, ts, failed in logins:
        users[user].append((ts, number, failed))
    return {user: sorted(events) for user, events in users.items()}


def asked_of(question: Question, logins: list[Login]) -> list[dict]:
    """The right answer for these logins."""
    lines = [json.dumps(dict(zip(("user", "id", "ts", "failed"), login, strict=True))).encode() for login in logins]

    def batches(topic: str, records: int) -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"value": pa.array(lines, pa.binary())})

    return replace(question, batches=batches).expected(len(logins)).to_pylist()


def guessed_in_plain_python(users: dict[str, list[tuple[int, int, bool]]]) -> set[tuple[int, int, int]]:
    """Id, failures and time of the first failure of each login that looks guessed."""
    found = set()
    for events in users.values():
        streak: list[int] = []
        for ts, number, failed in events:
            if not failed:
                near = [time for time in streak if ts - time <= 10 * MINUTE]
                found |= {(number, len(near), near[0])} if len(near) > 2 else set()
            streak = [*streak, ts] if failed else []
    return found


def test_a_silence_of_five_minutes_ends_a_session() -> None:
    logins = [("a", 0, 299_999, True), ("a", 1, 0, False), ("a", 2, 599_999, True), ("b", 3, 300_000, True)]
    found = sorted(asked_of(SESSIONS, logins), key=lambda row: (row["user"], row["start_ms"]))
    assert [tuple(row.values()) for row in found] == [
        ("a", 0, 299_999, 2, 1),
        ("a", 599_999, 599_999, 1, 1),
        ("b", 300_000, 300_000, 1, 1),
    ]


def test_failures_ten_minutes_before_a_login_count_and_earlier_ones_do_not() -> None:
    failures = [("a", number, number, True) for number in range(4)]
    assert asked_of(PATTERNS, [*failures, ("a", 9, 600_001, False)]) == [{"id": 9, "failures": 3, "first_ms": 1}]
    assert asked_of(PATTERNS, [*failures, ("a", 9, 600_002, False)]) == []


def test_a_login_ends_a_streak_of_failures() -> None:
    letters = "fffsffsffffs"
    logins = [("a", number, number * 1000, letter == "f") for number, letter in enumerate(letters)]
    assert sorted(tuple(row.values()) for row in asked_of(PATTERNS, logins)) == [(3, 3, 0), (11, 4, 7000)]


def test_at_the_same_time_the_lower_id_is_the_earlier() -> None:
    failures = [("a", number, 0, True) for number in (1, 2, 4)]
    assert asked_of(PATTERNS, [*failures, ("a", 3, 0, False)]) == []
    assert asked_of(PATTERNS, [*failures, ("a", 5, 0, False)]) == [{"id": 5, "failures": 3, "first_ms": 0}]


def test_sessions_are_those_of_plain_python_and_some_silences_are_exactly_the_gap() -> None:
    wanted, silences = [], set()
    for user, events in by_user(logins_of(SESSIONS, RECORDS)).items():
        sessions = [[events[0]]]
        for before, event in pairwise(events):
            silences.add(event[0] - before[0])
            if event[0] - before[0] >= 5 * MINUTE:
                sessions.append([])
            sessions[-1].append(event)
        wanted += [(user, each[0][0], each[-1][0], len(each), sum(e[2] for e in each)) for each in sessions]
    assert 5 * MINUTE in silences
    found = [tuple(row.values()) for row in SESSIONS.expected(RECORDS).to_pylist()]
    assert len(found) > RECORDS // 4 and sorted(found) == sorted(wanted)


def test_guessed_logins_are_those_of_plain_python() -> None:
    wanted = guessed_in_plain_python(by_user(logins_of(PATTERNS, RECORDS)))
    found = [tuple(row.values()) for row in PATTERNS.expected(RECORDS).to_pylist()]
    assert len(found) > RECORDS // 100 and sorted(found) == sorted(wanted)


def test_pairs_are_those_of_plain_python() -> None:
    searches, clicks = (
        [json.loads(v) for batch in JOIN.batches(topic, 2_000) for v in batch["value"].to_pylist()]
        for topic in JOIN.topics
    )
    wanted: list[tuple[int, int | None]] = []
    for search in searches:
        near = [c["id"] for c in clicks if c["user"] == search["user"] and 0 <= c["ts"] - search["ts"] <= 10 * MINUTE]
        wanted += [(search["id"], click) for click in near or [None]]
    found = [(row["id"], row["click_id"]) for row in JOIN.expected(2_000).to_pylist()]
    assert len(searches) + len(clicks) == 2_000 < len(wanted) + len(clicks)
    assert sorted(found, key=str) == sorted(wanted, key=str)


@pytest.mark.parametrize("batch", [7, 100, 6_000])
def test_the_peer_that_waits_for_its_watermark_finds_the_same_but_for_the_last(batch: int) -> None:
    """Spark's side of the pattern, cut into batches; with each, users are called of whom it has events or a timer."""
    logins = logins_of(PATTERNS, RECORDS)
    kept: dict[str, list] = defaultdict(list)
    rows, newest, watermark = [], 0, 0
    for begin in range(0, RECORDS, batch):
        cut = logins[begin : begin + batch]
        for user in {user for user, *_ in cut}:
            kept[user] = sorted(kept[user] + by_user(cut)[user])
        newest = max(newest, *(ts for _, _, ts, _ in cut))
        for user in kept:
            found, kept[user] = follow(kept[user], watermark)
            rows += [tuple(row) for row in found]
        watermark = newest - 30_000
    for user in kept:
        rows += [tuple(row) for row in follow(kept[user], watermark)[0]]
    when = {number: ts for _, number, ts, _ in logins}
    wanted = [row for row in guessed_in_plain_python(by_user(logins)) if when[row[0]] <= watermark]
    assert len(wanted) > 50 and sorted(rows) == sorted(wanted)


def test_event_times_are_at_most_twenty_seconds_out_of_order_and_advance_together() -> None:
    logins = logins_of(SESSIONS, RECORDS)
    newest = first = logins[0][2]
    behind = []
    for _, number, ts, _ in logins:
        newest = max(newest, ts)
        behind.append(newest - ts)
        assert abs(ts - first - number * 7_200_000 / RECORDS) <= 22_000
    assert 15_000 < max(behind) <= 20_000 and sum(late > 0 for late in behind) / RECORDS > 0.04
    assert [number for _, number, *_ in logins] == list(range(RECORDS))
    assert len({user for user, *_ in logins}) == RECORDS // event_log.EVENTS_PER_USER
    assert abs(sum(failed for *_, failed in logins) / RECORDS - login_log.SHARE_OF_FAILURES) < 0.02


def test_rows_that_are_missing_wrong_or_there_twice_are_counted() -> None:
    right = pa.table({"id": [1, 2, 3, 4]})
    assert difference(pa.table({"id": [4, 2, 2, 9]}), right) == "4 rows of 4, 2 missing, 2 wrong"
    assert difference(right, right) == "4 rows of 4, 0 missing, 0 wrong"


@pytest.mark.parametrize("question", beside_peers.QUESTIONS)
def test_each_contender_has_a_command_of_something_that_there_is(question: str, tmp_path: Path) -> None:
    asked: Question = import_module(f"questions.{question}.data").QUESTION
    peers = asked.read.keys() - {"headrace"}
    assert (
        {"headrace", "flink"} <= asked.read.keys() <= {name.removesuffix("-small") for name in beside_peers.CONTENDERS}
    )
    for name in peers:
        assert importlib.util.find_spec(f"questions.{question}.{name}")
    headrace = beside_peers.command(question, "headrace", "127.0.0.1:9", tmp_path)
    script = Path(headrace[headrace.index("--places") - 1])
    assert script.is_file() and f'"{asked.table}"' in script.read_text()
    assert 'servers = "127.0.0.1:9"' in (tmp_path / "places.toml").read_text()


def test_flink_sees_the_questions_and_nothing_else_of_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flink_job, "FOLDER", tmp_path)
    small = beside_peers.command("sessions", "flink-small", "127.0.0.1:9", tmp_path)
    bench = Path(beside_peers.__file__).parent
    assert small[:4] == ["env", "--unset=PYTHONPATH", f"PYTHONPATH={bench}", f"JAVA_TOOL_OPTIONS={flink_job.SMALL}"]
    assert small[4:7] == [str(tmp_path / "bin" / "python"), "-m", "questions.sessions.flink"]
