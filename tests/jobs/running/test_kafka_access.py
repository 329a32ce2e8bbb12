"""What stands in [kafka] of a places file, and what becomes of it."""

import ssl
from pathlib import Path

import pytest
from confluent_kafka import Consumer, KafkaException

from jobs import run
from jobs.log.kafka.client import connect
from jobs.running import kafka_options
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from jobs.running.references import resolve_reference
from tests.pages import blocks, page

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


SECURE = ('servers = "b:1"', 'security = "SASL_SSL"', 'username = "u"', 'password = "${env:P}"')


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (('group.id = "mine"',), r"kafka\.options: group\.id: leave it out, as headrace sets it"),
        (('"security.protocol" = "SSL"',), r"security\.protocol: say security = \.\.\. in \[kafka\]"),
        (('"ssl.keystore.password" = "hunter2"',), r"ssl\.keystore\.password: a secret does not belong"),
        (("sasl.jaas.config = 'x required password=\"hunter2\";'",), r"sasl\.jaas\.config: a secret does not belong"),
        (('"ssl.endpoint.identification.algorithm" = ""',), "a broker that nobody has identified"),
        (('"sasl.oauthbearer.client.secret" = "hunter2"',), "a secret does not belong"),
        (('"ssl.key.pem" = "hunter2"',), "a secret does not belong"),
        (('"client.id" = ["a"]',), r"client\.id is neither a text nor a number"),
    ],
)
def test_an_option_that_may_not_be_is_refused_without_its_value(
    tmp_path: Path, lines: tuple[str, ...], said: str
) -> None:
    with pytest.raises(Refused, match=said) as told:
        places(tmp_path, *SECURE, "[kafka.options]", *lines)
    assert "hunter2" not in str(told.value)


def test_options_go_to_both_clients_under_the_name_of_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P", "secret-p")
    monkeypatch.setenv("RACK", "rack-7")
    options = ["[kafka.options]", "client.id = 'me'", '"fetch.max.wait.ms" = 250', 'client.rack = "${env:RACK}"']
    options += ['"default.api.timeout.ms" = 100', '"socket.keepalive.enable" = true', '"request.timeout.ms" = 9000']
    kafka = places(tmp_path, *SECURE, *options).kafka
    assert kafka
    java, python = kafka.for_java(), kafka.for_python()
    for client in (java, python):
        assert client["client.id"] == "me"
    assert java["fetch.max.wait.ms"] == "250" and java["client.rack"] == "${env:RACK}"
    assert java["default.api.timeout.ms"] == "100" and "socket.keepalive.enable" not in java
    assert python["fetch.wait.max.ms"] == "250" and python["client.rack"] == "rack-7"
    assert python["socket.keepalive.enable"] == "true" and "default.api.timeout.ms" not in python
    assert python["socket.timeout.ms"] == "9000" and "request.timeout.ms" not in python


def test_librdkafka_knows_the_names_that_the_tables_give_it() -> None:
    numbers = dict.fromkeys(kafka_options.FOR_PYTHON, "10000")
    texts = {
        "broker.address.family": "v4",
        "sasl.kerberos.keytab": "k",
        "https.ca.location": "probe",
    }
    texts |= {"sasl.kerberos.kinit.cmd": "true", "sasl.kerberos.principal": "p", "socket.keepalive.enable": "true"}
    texts |= {"broker.address.ttl": "1000", "queued.max.messages.kbytes": "1000", "queued.min.messages": "10"}
    for name, value in (numbers | texts).items():
        Consumer({"group.id": "g"} | kafka_options.for_python({name: value})).close()
    for name in kafka_options.JAVA_ALONE:
        with pytest.raises(KafkaException, match=r"No such configuration property|JAAS configuration is not supported"):
            Consumer({"group.id": "g", name: "1"})


def test_an_option_that_librdkafka_does_not_know_is_named() -> None:
    for options, said in (({"no.such": "s3cret"}, "no.such: librdkafka.* has no such option"),
                          ({"fetch.max.wait.ms": "s3cret"}, "fetch.max.wait.ms: .* takes no such value")):  # fmt: skip
        with pytest.raises(Refused, match=said) as told:
            connect(Kafka(servers="127.0.0.1:1", options=options), Consumer, **{"group.id": "g"})
        assert "s3cret" not in str(told.value)


def test_client_credentials_are_fetched_by_both_clients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("P", "secret-p")
    token = ('mechanism = "OAUTHBEARER"', 'token_endpoint = "https://id.example.org/token"', 'scope = "kafka"')
    kafka = places(tmp_path, *SECURE, *token).kafka
    assert kafka
    java, python = kafka.for_java(), kafka.for_python()
    assert java["sasl.jaas.config"] == (
        "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
        'clientId="u" clientSecret="${env:P}" scope="kafka";'
    )
    assert java["sasl.oauthbearer.token.endpoint.url"] == python["sasl.oauthbearer.token.endpoint.url"]
    assert java["sasl.login.callback.handler.class"].endswith(".OAuthBearerLoginCallbackHandler")
    names = ("sasl.oauthbearer.method", "sasl.oauthbearer.client.id", "sasl.oauthbearer.client.secret")
    assert [python[name] for name in names] == ["oidc", "u", "secret-p"] and "sasl.password" not in python
    with pytest.raises(Refused, match='mechanism = "OAUTHBEARER" and token_endpoint'):
        places(tmp_path, *SECURE, 'mechanism = "OAUTHBEARER"')
    with pytest.raises(Refused, match=r"id\.example\.org is another machine and http is not encrypted"):
        places(tmp_path, *SECURE, token[0], 'token_endpoint = "http://id.example.org/token"')


def test_the_examples_of_the_page_are_taken_by_librdkafka(tmp_path: Path) -> None:
    examples = [text for _, language, text in blocks(page("docs/kafka.md")) if language == "toml"]
    assert len(examples) == 3
    (tmp_path / "kafka.secrets").write_text("password=p\nsecret=s\n")
    (tmp_path / "kafka-ca.pem").write_text(ssl.DER_cert_to_PEM_cert(ssl.create_default_context().get_ca_certs(True)[0]))
    for text in examples:
        lines = [line for line in text.splitlines() if line not in ('log = "kafka"', "", "[kafka]")]
        server = [] if "servers" in text else ['servers = "127.0.0.1:1"']
        kafka = places(tmp_path, *server, *lines).kafka
        assert kafka
        connect(kafka, Consumer, **{"group.id": "g"})[0].close()
