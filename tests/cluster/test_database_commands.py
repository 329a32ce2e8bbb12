"""What headrace asks a real PostgreSQL: are the rows those of the database, and is its slot well?"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin.database import slot_findings
from jobs.run import Run
from tests.cluster import bank, orders
from tests.cluster.broker import Broker
from tests.cluster.debezium import Connector
from tests.cluster.postgres import DATABASE, Postgres
from tests.jobs.admin import command
from tests.pages import load_module

AUDITOR, PASSWORD = "auditor", "aud1tor-canary-pa55word"
"""A role that may read the table, and nothing else."""
TOPIC = "bank.public.accounts"


@pytest.fixture(scope="module")
def capture(postgres: Postgres, connector: Callable[..., Connector]) -> Connector:
    """A connector that streams the changes of the accounts."""
    postgres.execute(
        *bank.CREATE.split(";"),
        *bank.ROWS.split(";"),
        "CREATE TABLE orders (id bigint PRIMARY KEY, status text)",
        "INSERT INTO orders SELECT number, 'new' FROM generate_series(1, 4) AS number",
        orders.OUTBOX,
        f"CREATE ROLE {AUDITOR} LOGIN PASSWORD '{PASSWORD}'",
        f"GRANT SELECT ON accounts TO {AUDITOR}",
    )
    postgres.publish("bank", "accounts", "outbox")
    return connector("bank", "public.accounts", "public.outbox", **orders.settings())


@pytest.fixture
def url(postgres: Postgres) -> str:
    return f"postgresql://{AUDITOR}@127.0.0.1:{postgres.port}/{DATABASE}"


@pytest.fixture
def bank_places(kafka_places: Path, url: str) -> Path:
    """A places file that names the database, with the password in a file of its own."""
    (kafka_places.parent / "database.secrets").write_text(f"password={PASSWORD}\n")
    with kafka_places.open("a") as file:
        file.write(f'[databases.bank]\nurl = "{url}"\nslot = "bank"\n')
        file.write('password = "${file:database.secrets:password}"\n')
    return kafka_places


def keep(spark: SparkSession, places: Path, job: Path) -> None:
    """Run the job once."""
    load_module(job.stem, job).main(Run(spark, run.places(places), say=lambda _: None))


def test_the_rows_of_the_database_and_a_change_that_the_log_has_lost(
    spark: SparkSession,
    broker: Broker,
    postgres: Postgres,
    capture: Connector,
    bank_places: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    url: str,
) -> None:
    verify = ("verify", "accounts_v1", "--places", str(bank_places))
    job = bank.job_file(tmp_path, TOPIC, "accounts_v1")
    postgres.execute(
        "UPDATE accounts SET body = 'changed', at = at - interval '60 years' WHERE id < 5",
        "DELETE FROM accounts WHERE id = 7",
        "UPDATE accounts SET id = 800 WHERE id = 8",
        "INSERT INTO accounts (id, part, body) VALUES (990, 'last', 'b')",
    )
    told = bank.read_up_to(broker, TOPIC, lambda one: one["after"] and one["after"]["id"] == 990)
    keep(spark, bank_places, job)
    assert command.run(*verify, "--job", str(job)) == 0
    said = capsys.readouterr().out
    assert "accounts_v1: equal to bank, table public.accounts" in said and "44 rows" in said
    assert "not compared: span (interval is not compared)" in said

    assert command.run("doctor", "--places", str(bank_places)) == 0
    assert "accounts_v1: all is well" in capsys.readouterr().out

    # The job has not run since; a verification waits, and says for what.
    postgres.execute(bank.EACH_A_LITTLE)
    assert command.run(*verify, "--job", str(job), "--wait", "4") == 1
    said = capsys.readouterr().out
    assert "1 rows differ" in said and "accounts_v1 has not read 1 records" in said
    changed = "whole, small, exact, any_scale, half, fraction, flag, day, seconds, at, zoned, clock, bytes, numbers"
    assert f"1 different in {changed}, words, uuid, data, padded, address, feeling, body" in said
    assert "may be changes on their way, or not" in said
    assert "'10'" not in said

    # The archive of the same topic lacks three changes; nobody would know.
    postgres.execute(
        "UPDATE accounts SET body = 'lost' WHERE id = 20",
        "DELETE FROM accounts WHERE id = 21",
        "INSERT INTO accounts (id, part, body) VALUES (22, 'new', 'lost')",
        "INSERT INTO accounts (id, part, body) VALUES (991, 'last', 'b')",
    )
    more = bank.read_up_to(broker, TOPIC, lambda one: one["after"] and one["after"]["id"] == 991)
    lost = {(20, "u"), (21, "d"), (22, "c")}
    whole = [one for one in more if change(one) not in lost or one in told]
    assert len(more) - len(whole) == 3
    leaky = tmp_path / "leaky.toml"
    leaky.write_text("".join(f'{name} = "leaky-{name}"\n' for name in ("archive", "tables", "checkpoints")))
    bank.copy_into_archive(run.places(leaky).archive, TOPIC, whole)
    job = bank.job_file(tmp_path, TOPIC, "leaky_v1")
    keep(spark, leaky, job)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    leaks = ("verify", "leaky_v1", "--job", str(job), "--places", str(leaky), "--against", url, "--slot", "bank")
    assert command.run(*leaks, "--wait", "60", "--show-keys") == 1
    said = capsys.readouterr().out
    assert "leaky_v1: differs from bank, table public.accounts" in said and "may be" not in said
    for line in ("1 missing", "1 additional", "1 different in body", "missing: id '22', part 'new'",
                 "additional: id '21', part 'p0'", "different: id '20', part 'p2' (body)"):  # fmt: skip
        assert f"  {line}\n" in said
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "database.secrets"]
    assert left and not [path for path in left if PASSWORD.encode() in path.read_bytes()]


def test_a_job_file_out_of_the_topic(
    capture: Connector, bank_places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a schema beside the records: the key is certain, times are guessed."""
    monkeypatch.chdir(tmp_path)
    assert command.run("new", TOPIC, "--debezium", "--from-log", "--places", str(bank_places)) == 0
    columns = load_module("schemas.accounts", tmp_path / "schemas/accounts.py").COLUMNS
    assert [one.name for one in columns if not one.nullable] == ["id", "part"]
    kinds = {one.name: one.dataType.simpleString() for one in columns}
    assert {name: kinds[name] for name in ("whole", "half", "flag", "zoned", "numbers", "body")} == {
        "whole": "bigint", "half": "double", "flag": "boolean", "zoned": "timestamp", "numbers": "array<bigint>",
        "body": "string",
    }  # fmt: skip


def change(message: bank.Message) -> Any:
    """The id and the kind of a change."""
    envelope = json.loads(message[1]) if message[1] else None
    return envelope and ((envelope["after"] or envelope["before"])["id"], envelope["op"])


def test_a_password_is_in_no_message(
    postgres: Postgres,
    capture: Connector,
    bank_places: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    url: str,
) -> None:
    job = bank.job_file(tmp_path, TOPIC, "accounts_v1")
    verify = ("verify", "accounts_v1", "--job", str(job), "--places", str(bank_places))
    wrong = PASSWORD + "-wrong"
    (bank_places.parent / "database.secrets").write_text(f"password={wrong}\n")
    with_password = url.replace("@", f":{PASSWORD}@")
    for more, expected in (
        ((), f'password authentication failed for user "{AUDITOR}"'),
        (("--against", with_password), "does not belong into the address"),
        (("--against", "elsewhere"), "has no database elsewhere; it has bank"),
    ):
        assert command.run(*verify, *more) == 1
        out, err = capfd.readouterr()
        assert expected in err and not out and len(err.splitlines()) == 1
        assert PASSWORD not in err
    assert PASSWORD not in postgres.log()


def test_what_two_writes_lose_and_an_outbox_does_not(broker: Broker, postgres: Postgres, capture: Connector) -> None:
    """One service is killed before its second write; of two that change one order, the first sends last."""
    orders.make_topic(broker)
    services = orders.services()
    producer = Producer({"bootstrap.servers": broker.servers, "log_level": 0})
    with postgres.connect() as one, postgres.connect() as other:
        twice, once = services["set_status"], services["set_status_with_outbox"]
        with pytest.raises(orders.Killed):
            twice(one, orders.DyingProducer(), 1, "paid")
        orders.overtake(
            lambda sender: twice(one, sender, 2, "paid"), lambda sender: twice(other, sender, 2, "shipped"), producer
        )
        producer.flush()
        assert orders.in_database(postgres) == {1: "paid", 2: "shipped", 3: "new", 4: "new"}
        assert orders.last_status(broker, "orders", 2) == {2: "paid"}, "order 1 is lost, order 2 is wrong"

        with pytest.raises(orders.Killed):
            once(orders.DyingConnection(one), 3, "paid")
        once(one, 4, "paid")
        once(other, 4, "shipped")
        once(one, 3, "cancelled")
    database = orders.in_database(postgres)
    assert (database[3], database[4]) == ("cancelled", "shipped")
    captured = orders.last_status(broker, "outbox.event.orders", 3)
    assert captured == {order: database[order] for order in (3, 4)}


def test_a_slot_that_falls_behind_is_lost_or_was_dropped(
    postgres: Postgres, capture: Connector, kafka_places: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last test of the module: the connector's own slot is lost, too."""
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    text = kafka_places.read_text()

    def look(slot: str) -> list[tuple[bool, str, str]]:
        kafka_places.write_text(f'{text}[databases.bank]\nurl = "{url}"\nslot = "{slot}"\n')
        places = run.places(kafka_places)
        assert not list(slot_findings.examine(places, "bakery.public.accounts")), "another database"
        return [(one.wrong, one.what, one.remedy) for one in slot_findings.examine(places, TOPIC)]

    assert look("bank") == []
    [(wrong, what, remedy)] = look("gone")
    assert wrong and "has no replication slot gone; it has" in what and "new snapshot" in remedy
    capture.stop()
    postgres.execute("SELECT pg_create_logical_replication_slot('quiet', 'pgoutput')")
    asleep = "no connector reads the replication slot quiet of the database bank, which is 0.0 MiB of"
    [(wrong, what, remedy)] = look("quiet")
    assert wrong and what.startswith(asleep) and "start the connector" in remedy

    monkeypatch.setattr(slot_findings, "FAR_BEHIND", 20 * 2**20)
    seen: list[str] = []
    segment = ("SELECT pg_logical_emit_message(true, 'test', 'x')", "SELECT pg_switch_wal()")  # 16 MiB
    postgres.execute("ALTER SYSTEM SET max_slot_wal_keep_size = '160MB'", "SELECT pg_reload_conf()")
    for _ in range(14):
        found = look("quiet")
        seen += [re.sub(r"[\d,.]+ MiB", "n MiB", what) for _, what, _ in found]
        assert [wrong for wrong, what, _ in found if "removes that log" in what or "lost" in what] in ([], [True])
        postgres.execute(*segment, "CHECKPOINT")
    postgres.execute("ALTER SYSTEM RESET max_slot_wal_keep_size", "SELECT pg_reload_conf()")
    [(wrong, what, remedy)] = look("quiet")
    assert wrong and "is lost: PostgreSQL has removed the log" in what and "new snapshot" in remedy
    behind = "the replication slot quiet of the database bank is n MiB of the database's log behind"
    steps = list(dict.fromkeys(what for what in seen if what.startswith("the ")))
    assert steps[:2] == [behind, f"{behind}, and PostgreSQL removes that log after n MiB more: then the slot is lost"]
    postgres.execute("SELECT pg_drop_replication_slot('quiet')")
    [(wrong, what, _)] = look("quiet")
    assert wrong and "has no replication slot quiet" in what

    kafka_places.write_text(f'{text}[databases.bank]\nurl = "postgresql://{AUDITOR}@127.0.0.1:1/x"\n')
    [unreachable] = slot_findings.examine(run.places(kafka_places), TOPIC)
    assert not unreachable.wrong and "no connection to the database bank" in unreachable.remedy
