"""A broker that takes tokens: both of Kafka's clients fetch them from an endpoint, with the client's id and secret."""

import json
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey
from pyspark.sql import SparkSession

from jobs import run
from jobs.log.kafka import topics
from jobs.running.errors import Refused
from tests.cluster.broker import PASSWORD, USER, Broker
from tests.cluster.keeping import counted, counts, keep, make, send

SECURITY = "org.apache.kafka.common.security.oauthbearer"
KEY_ID = "k1"
PARAMETERS: Any = {"kid": KEY_ID, "alg": "RS256", "use": "sig"}


@dataclass
class Endpoint:
    """Gives signed tokens to who knows the secret, and its public key to the broker."""

    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, PARAMETERS))
    agents: list[str] = field(default_factory=list)
    """Which clients have got a token: how each calls itself in HTTP."""
    server: ThreadingHTTPServer = field(init=False)

    def __post_init__(self) -> None:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(200, {"keys": [endpoint.key.as_dict(private=False)]})

            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                login = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
                is_good = form["grant_type"] == ["client_credentials"] and form["scope"] == ["kafka"]
                if self.headers["Authorization"] != login or not is_good:
                    self._answer(401, {"error": "invalid_client"})
                    return
                endpoint.agents.append(self.headers.get("User-Agent", "librdkafka"))
                self._answer(200, {"access_token": endpoint.token(), "token_type": "Bearer", "expires_in": 600})

            def _answer(self, status: int, answer: Any) -> None:
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: object) -> None:
                """Nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,)).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/token"

    def token(self) -> str:
        now = int(time.time())
        claims = {"sub": USER, "aud": "kafka", "scope": "kafka", "iat": now, "exp": now + 600}
        return jwt.encode({"alg": "RS256", "kid": KEY_ID}, claims, self.key)

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def token_broker(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker whose secured listener takes tokens that the endpoint has signed; their subject may do everything."""
    settings = {
        "listener.name.secured.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.secured.oauthbearer.sasl.jaas.config": f"{SECURITY}.OAuthBearerLoginModule required;",
        "listener.name.secured.oauthbearer.sasl.server.callback.handler.class": (
            f"{SECURITY}.OAuthBearerValidatorCallbackHandler"
        ),
        "listener.name.secured.oauthbearer.sasl.oauthbearer.jwks.endpoint.url": endpoint.url,
        "listener.name.secured.oauthbearer.sasl.oauthbearer.expected.audience": "kafka",
        "super.users": f"User:ANONYMOUS;User:{USER}",
    }
    made = Broker(tmp_path_factory.mktemp("tokens") / "broker", **settings)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAVA_TOOL_OPTIONS", f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={endpoint.url}")
        made.start()
    yield made
    made.stop()


@pytest.fixture
def with_tokens(token_broker: Broker, endpoint: Endpoint, tmp_path: Path) -> Path:
    """A places file that logs in with tokens, and has an option of both clients."""
    (tmp_path / "kafka.secrets").write_text(f"secret={PASSWORD}\n")
    (tmp_path / "tokens.toml").write_text(
        'log = "kafka"\narchive = "archive"\ntables = "tables"\ncheckpoints = "checkpoints"\n[kafka]\n'
        f'servers = "{token_broker.secured}"\nsecurity = "SASL_SSL"\nmechanism = "OAUTHBEARER"\nusername = "{USER}"\n'
        f'password = "${{file:kafka.secrets:secret}}"\nauthorities = "{token_broker.certificate}"\n'
        f'token_endpoint = "{endpoint.url}"\nscope = "kafka"\n[kafka.options]\nclient.id = "headrace-tokens"\n'
    )
    return tmp_path / "tokens.toml"


def test_a_job_reads_with_tokens_in_both_clients(
    spark: SparkSession, token_broker: Broker, endpoint: Endpoint, with_tokens: Path
) -> None:
    places = run.places(with_tokens)
    topic = make(token_broker, "with-tokens", 1)
    send(token_broker, topic, 0, 7)
    keep(spark, places, counted(topic))
    assert counts(places) == {"a": 7}
    assert {agent.partition("/")[0] for agent in endpoint.agents} >= {"Java", "librdkafka"}


def test_a_wrong_secret_of_the_client_is_told(with_tokens: Path) -> None:
    (with_tokens.parent / "kafka.secrets").write_text("secret=wrong-s3cret\n")
    kafka = run.places(with_tokens).kafka
    assert kafka
    with pytest.raises(Refused, match=f"does not let {USER} in") as failed:
        topics.describe(kafka, "with-tokens")
    assert "s3cret" not in str(failed.value)
