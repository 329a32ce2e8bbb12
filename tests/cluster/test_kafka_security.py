"""A broker that asks who it is: who may read reads, who may not learns why, and the secret is nowhere."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)
from pyspark.sql import SparkSession

from jobs import run
from jobs.admin import demo_flights
from jobs.admin.class_archive import sample_departures
from jobs.log.kafka import patience, producer, topics
from jobs.log.kafka.groups import Group
from jobs.running import kafka_tools
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from tests import delta
from tests.cluster.broker import PASSWORD, USER, Broker
from tests.cluster.keeping import (
    AT_WORK,
    counted,
    counts,
    exists,
    keep,
    keep_running,
    make,
    make_anew,
    send,
    settings,
)
from tests.jobs.admin import command
from tests.jobs.steps import once_at

ROOT = Path(__file__).parent.parent.parent
TOPIC = "departures"
RESULT = "departure_delay_v1"


def allow(broker: Broker, kind: ResourceType, name: str, how: ResourcePatternType, what: AclOperation) -> None:
    rule = AclBinding(kind, name, how, f"User:{USER}", "*", what, AclPermissionType.ALLOW)
    next(iter(broker.admin().create_acls([rule]).values())).result()


def forget(broker: Broker) -> None:
    """Take all that was allowed back."""
    anything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    next(iter(broker.admin().delete_acls([anything]).values())).result()


@pytest.fixture
def secured(broker: Broker, tmp_path: Path) -> Iterator[Path]:
    """A places file that logs in over TLS, with its password in a file beside it."""
    (tmp_path / "kafka.secrets").write_text(f"# of the broker\npassword={PASSWORD}\n")
    (tmp_path / "secured.toml").write_text(
        'log = "kafka"\narchive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n[kafka]\n'
        f'servers = "{broker.secured}"\nsecurity = "SASL_SSL"\nmechanism = "PLAIN"\nusername = "{USER}"\n'
        f'password = "${{file:kafka.secrets:password}}"\nauthorities = "{broker.certificate}"\n'
    )
    yield tmp_path / "secured.toml"
    forget(broker)


def submit(places: Path, events: Path) -> "subprocess.CompletedProcess[str]":
    """Run the job as a scheduler does, with Spark's log of events, and with the whole story of what goes wrong."""
    events.mkdir(exist_ok=True)
    scripts = Path(sys.executable).parent
    line = [str(scripts / "spark-submit"), "--properties-file", "conf/spark-local.conf"]
    line += ["--conf", "spark.eventLog.enabled=true", "--conf", f"spark.eventLog.dir=file://{events}"]
    java = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:SharedArchiveFile=.jars/classes.jsa -Xlog:disable"
    line += ["--conf", f"spark.driver.extraJavaOptions={java}"]  # as the profile has them, but with Spark's own log
    environment = os.environ | {"HEADRACE_DEBUG": "1", "PYTHONPATH": str(ROOT), "PYSPARK_PYTHON": sys.executable}
    return subprocess.run(
        [*line, "jobs/departure_delay.py", "--places", str(places)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_a_job_logs_in_and_neither_success_nor_failure_leaves_the_secret_anywhere(
    broker: Broker, secured: Path, kafka_places: Path, tmp_path: Path
) -> None:
    clear = run.places(kafka_places).kafka
    assert clear
    make_anew(broker, TOPIC, 2)
    producer.append(clear, TOPIC, 2, demo_flights.records(sample_departures(30)))
    for what in (AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS):
        allow(broker, ResourceType.TOPIC, TOPIC, ResourcePatternType.LITERAL, what)
    allow(broker, ResourceType.GROUP, RESULT, ResourcePatternType.PREFIXED, AclOperation.READ)
    good = submit(secured, tmp_path / "events")
    assert good.returncode == 0, good.stderr
    assert "not shown in Kafka" not in good.stdout + good.stderr
    rows = delta.rows(tmp_path / "tables" / f"{RESULT}_panes")
    assert sum(row["departures"] for row in rows) == 30

    forget(broker)
    for what in (AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS):
        allow(broker, ResourceType.TOPIC, TOPIC, ResourcePatternType.LITERAL, what)
    allow(broker, ResourceType.GROUP, RESULT, ResourcePatternType.PREFIXED, AclOperation.READ)
    producer.append(clear, TOPIC, 2, demo_flights.records(sample_departures(5)))
    bad = submit(secured, tmp_path / "events")
    assert bad.returncode == 1
    assert "does not let this user read the topic: an ACL is missing" in bad.stdout + bad.stderr

    said = [good.stdout, good.stderr, bad.stdout, bad.stderr]
    assert not [text for text in said if PASSWORD in text]
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "kafka.secrets"]
    assert any(path.is_relative_to(tmp_path / "events") for path in left)
    assert not [path for path in left if PASSWORD.encode() in path.read_bytes()]


def test_who_may_not_ask_for_the_brokers_retention_nor_delete_a_topic_leaves_none_behind(
    broker: Broker, secured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rights = (AclOperation.CREATE, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS, AclOperation.WRITE)
    for what in rights:
        allow(broker, ResourceType.TOPIC, "made-by-", ResourcePatternType.PREFIXED, what)
    (secured.parent / "old.ndjson").write_text('{"at": "2025-05-05T08:00:00Z"}\n')
    line = ["produce", "made-by-reader", str(secured.parent / "old.ndjson"), "--timestamp", "at"]
    assert command.run(*line, "--places", str(secured)) == 1
    assert "keeps records for 7.0 days" in capsys.readouterr().err
    assert not exists(broker, "made-by-reader")
    assert command.run(*line, "--places", str(secured), "--retention", "forever") == 0
    assert settings(broker, "made-by-reader")["retention.ms"] == "-1"
    assert command.run("produce", "not-for-reader", *line[2:], "--places", str(secured), "--retention", "forever") == 1
    assert f"{USER} may not do that" in capsys.readouterr().err


def test_a_remedy_says_where_a_login_is_to_stand_and_has_no_secret(
    broker: Broker, secured: Path, tmp_path: Path, typed: Callable[[str], None]
) -> None:
    kafka = run.places(secured).kafka
    assert kafka
    topic = make(broker, "to-be-altered", 1)
    allow(broker, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, AclOperation.ALTER_CONFIGS)
    allow(broker, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, AclOperation.DESCRIBE_CONFIGS)
    said = kafka_tools.set_config(kafka, topic, "retention.ms=3600000")
    line, _, what = said.partition(" (FILE: ")
    assert what and PASSWORD not in said and "kafka.secrets" not in said
    options = [f"{name}={value}" for name, value in kafka.for_java().items() if not name.startswith("config.")]
    reference = next(value for value in kafka.for_java().values() if "${file:" in value)
    login = "\n".join(options).replace(reference[reference.index("${") : reference.index("}") + 1], PASSWORD)
    (tmp_path / "client.properties").write_text(login)
    typed(f"do this: {line.replace('FILE', str(tmp_path / 'client.properties'))}")
    assert settings(broker, topic)["retention.ms"] == "3600000"


def test_offsets_that_may_not_be_committed_are_told(secured: Path) -> None:
    kafka = run.places(secured).kafka
    assert kafka
    group = Group(kafka, RESULT, TOPIC)
    with pytest.raises(Refused, match=f"{USER} may not do that .*: an ACL is missing"):
        group.commit({0: 1})


def test_a_wrong_password_is_told_at_once(secured: Path) -> None:
    (secured.parent / "kafka.secrets").write_text("password=wrong\n")
    kafka = run.places(secured).kafka
    assert kafka
    with pytest.raises(Refused, match=f"does not let {USER} in"):
        topics.describe(kafka, TOPIC)


def test_an_authority_that_did_not_sign_is_told(secured: Path, tmp_path: Path) -> None:
    store = ["-keystore", str(tmp_path / "o.p12"), "-storepass", "another-store", "-alias", "o", "-storetype", "PKCS12"]
    for said in (["-genkeypair", "-keyalg", "RSA", "-dname", "CN=other"], ["-exportcert", "-rfc", "-file", "o.pem"]):
        subprocess.run(["keytool", *said, *store], check=True, capture_output=True, cwd=tmp_path)
    text = secured.read_text().splitlines()
    secured.write_text("\n".join([line for line in text if "authorities" not in line] + ['authorities = "o.pem"']))
    kafka = run.places(secured).kafka
    assert kafka
    with pytest.raises(Refused, match="no TLS with the broker"):
        topics.describe(kafka, TOPIC)


def test_a_certificate_that_has_expired_is_told(broker: Broker) -> None:
    kafka = Kafka(servers=broker.expired, security="SSL", authorities=str(broker.folder / "expired.pem"))
    with pytest.raises(Refused, match=r"no TLS with the broker .*: its certificate has expired"):
        topics.describe(kafka, TOPIC)


@pytest.mark.long
def test_access_that_is_taken_away_while_a_job_runs_ends_it_and_given_back_it_goes_on(
    spark: SparkSession, broker: Broker, secured: Path
) -> None:
    topic = make(broker, "withdrawn", 1)
    send(broker, topic, 0, 5)

    def admit() -> None:
        for what in (AclOperation.READ, AclOperation.DESCRIBE, AclOperation.DESCRIBE_CONFIGS):
            allow(broker, ResourceType.TOPIC, topic, ResourcePatternType.LITERAL, what)
        allow(broker, ResourceType.GROUP, "counted_v1", ResourcePatternType.PREFIXED, AclOperation.READ)

    def withdraw() -> None:
        send(broker, topic, 0, 4)
        forget(broker)

    admit()
    places = run.places(secured)
    with pytest.raises(Exception) as ended:
        keep_running(spark, places, topic, once_at(AT_WORK, withdraw))
    said = run.explain(ended.value)
    assert "an ACL is missing" in said and PASSWORD not in said
    assert sum(row["records"] for row in delta.rows(places.table("counted_v1_panes"))) == 5
    admit()
    keep(spark, places, counted(topic))
    assert counts(places) == {"a": 9}


def test_a_secret_that_is_not_there_is_named(secured: Path) -> None:
    (secured.parent / "kafka.secrets").write_text("user=x\n")
    kafka = run.places(secured).kafka
    assert kafka
    with pytest.raises(Refused, match=r"kafka\.secrets has no line password="):
        topics.describe(kafka, TOPIC)


def test_a_broker_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "TIMEOUT_SECONDS", 2.0)
    with pytest.raises(Refused, match=r"127\.0\.0\.1:1 does not answer"):
        topics.describe(Kafka(servers="127.0.0.1:1"), TOPIC)
