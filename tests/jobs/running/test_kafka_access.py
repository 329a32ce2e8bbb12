"""What stands in [kafka] of a places file, and what becomes of it."""

from pathlib import Path

import pytest

from jobs import run
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka, resolve_reference

HOMES = 'log = "kafka"\narchive = "a"\ntables = "t"\ncheckpoints = "c"\n'


def places(folder: Path, *lines: str) -> run.Places:
    (folder / "kafka.toml").write_text(HOMES + "\n".join(["[kafka]", *lines]))
    return run.places(folder / "kafka.toml")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ((), r"kafka\.servers"),
        (('servers = "broker"',), "host:port"),
        (('servers = "broker.example.org:9092"',), r"broker\.example\.org:9092 is another machine"),
        (('servers = "127.0.0.1:9092,10.0.0.7:9092"',), r"10\.0\.0\.7:9092 is another machine"),
        (
            ('servers = "b:1"', 'security = "SASL_PLAINTEXT"', 'username = "u"', 'password = "${env:P}"'),
            "not encrypted",
        ),
        (('servers = "b:1"', 'security = "SASL_SSL"', 'username = "u"'), "needs a username and a password"),
        (('servers = "b:1"', 'security = "SASL_SSL"', 'username = "u"', 'password = "hunter2"'), r"kafka\.password"),
        (('servers = "b:1"', 'security = "TLS"'), r"kafka\.security"),
        (('servers = "127.0.0.1:1"', "ssl.keystore.key = 1"), r"kafka\.ssl"),
    ],
)
def test_what_is_wrong_is_told_with_its_field_and_without_the_secret(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Refused, match=said) as told:
        places(tmp_path, *lines)
    assert "hunter2" not in str(told.value)


@pytest.mark.parametrize("name", ["a:b", "a}b"])
def test_a_secrets_file_that_kafka_cannot_name_is_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    lines = ['servers = "b:1"', 'security = "SASL_SSL"', 'username = "u"', 'password = "${file:s.properties:p}"']
    with pytest.raises(Refused, match=rf"kafka\.password: the path '.*{name}/s\.properties' has a colon or a brace"):
        places(folder, *lines)


def test_a_home_in_kafka_needs_a_broker(tmp_path: Path) -> None:
    (tmp_path / "kafka.toml").write_text(HOMES)
    with pytest.raises(Refused, match=r"needs a table \[kafka\]"):
        run.places(tmp_path / "kafka.toml")


def test_plaintext_is_for_this_machine_or_by_name(tmp_path: Path) -> None:
    for server in ("127.0.0.1:9092", "localhost:9092", "[::1]:9092"):
        assert places(tmp_path, f'servers = "{server}"').kafka
    assert places(tmp_path, 'servers = "broker:9092"', "allow_plaintext = true").kafka


def test_java_gets_references_and_python_gets_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s.properties").write_text("password = a=b \nother=1\n")
    lines = ['servers = "b:1"', 'security = "SASL_SSL"', 'username = "u"', 'authorities = "ca.pem"']
    kafka = places(tmp_path, *lines, 'password = "${file:s.properties:password}"').kafka
    assert kafka
    java, python = kafka.for_java(), kafka.for_python()
    assert f"${{file:{tmp_path}/s.properties:password}}" in java["sasl.jaas.config"]
    assert java["config.providers"] == "file,env"
    assert java["ssl.truststore.location"] == python["ssl.ca.location"] == f"{tmp_path}/ca.pem"
    assert python["sasl.password"] == "a=b"
    assert not [value for value in java.values() if "a=b" in value]
    monkeypatch.setenv("KAFKA_PASSWORD", "from here")
    assert resolve_reference("${env:KAFKA_PASSWORD}") == "from here"


def test_without_secrets_java_needs_no_providers() -> None:
    assert "config.providers" not in Kafka(servers="127.0.0.1:1").for_java()
