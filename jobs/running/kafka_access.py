"""How a Kafka broker is reached: the table [kafka] of a places file, as options of Java's and of Python's client.

The file never holds a secret, but a reference to it, ${file:PATH:NAME} (a properties file) or ${env:NAME}. Java's
client gets the reference and opens it itself (Kafka's config providers), so that no plan, log or checkpoint of Spark
has the secret; the file or the variable has to be on the executors too.
"""

import ipaddress
import re
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from jobs.running import kafka_options
from jobs.running.references import absolute_reference, absolute_references, below, resolve_reference

PROVIDERS = {
    "config.providers": "file,env",
    "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}
_SECURITY = "org.apache.kafka.common.security"
MODULES = {
    "PLAIN": f"{_SECURITY}.plain.PlainLoginModule",
    "OAUTHBEARER": f"{_SECURITY}.oauthbearer.OAuthBearerLoginModule",
}
SCRAM = f"{_SECURITY}.scram.ScramLoginModule"
TOKEN_HANDLER = f"{_SECURITY}.oauthbearer.OAuthBearerLoginCallbackHandler"
ALLOWED_URLS = "org.apache.kafka.sasl.oauthbearer.allowed.urls"
"""The property of Java that names the addresses from which its client may fetch tokens: without it, none."""


class Kafka(BaseModel):
    """Where the broker is and how to log in. Relative paths start at the folder of the places file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: str
    """host:port, several with commas."""
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Without SSL only on this machine; see `allow_plaintext`."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = "SCRAM-SHA-512"
    """How to log in with SASL: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER with client credentials."""
    username: str | None = None
    """Needed with SASL; of OAUTHBEARER the client's id."""
    password: str | None = None
    """Needed with SASL: a reference, ${file:PATH:NAME} or ${env:NAME}; of OAUTHBEARER the client's secret."""
    token_endpoint: str | None = None
    """Needed with OAUTHBEARER: the address that gives tokens, https://..., on this machine also http://."""
    scope: str | None = None
    """Of the token, if its endpoint asks for one."""
    authorities: str | None = None
    """PEM file with the certificates that sign the broker's; None: those that the system trusts."""
    certificate: str | None = None
    """PEM file with the client's own key and certificate, for mutual TLS."""
    certificate_password: str | None = None
    """Of the key in `certificate`, if it has one: a reference."""
    allow_plaintext: bool = False
    """Whether records may cross a network without TLS."""
    options: dict[str, str] = {}
    """More options of Kafka's clients, by the names of Kafka's documentation: a table [kafka.options]. Secrets in it
    are references, too."""

    @field_validator("options", mode="before")
    @classmethod
    def _flatten_options(cls, options: Any) -> Any:
        return kafka_options.flatten(options) if isinstance(options, dict) else options

    @field_validator("options")
    @classmethod
    def _check_options(cls, options: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        kafka_options.check(options)
        return {name: absolute_references(value, info) for name, value in options.items()}

    @field_validator("token_endpoint")
    @classmethod
    def _check_token_endpoint(cls, address: str | None) -> str | None:
        parts = urlsplit(address or "https://none")
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
            raise ValueError("give https://HOST/..., without a user or a password")
        if parts.scheme == "http" and not is_loopback(f"{parts.hostname}:0"):
            raise ValueError(f"{parts.hostname} is another machine and http is not encrypted: use https")
        return address

    @field_validator("servers")
    @classmethod
    def _check_servers(cls, servers: str) -> str:
        for server in servers.split(","):
            if not re.fullmatch(r"\s*(\[[0-9a-fA-F:]+\]|[\w.-]+):\d{1,5}\s*", server):
                raise ValueError("give host:port, several with commas")
        return servers

    @field_validator("password", "certificate_password")
    @classmethod
    def _check_reference(cls, secret: str | None, info: ValidationInfo) -> str | None:
        return None if secret is None else absolute_reference(secret, info)

    @field_validator("authorities", "certificate")
    @classmethod
    def _absolute(cls, path: str | None, info: ValidationInfo) -> str | None:
        return None if path is None else below(info, path)

    @model_validator(mode="after")
    def _check_login(self) -> "Kafka":
        if self.security.startswith("SASL") and not (self.username and self.password):
            raise ValueError(f"{self.security} needs a username and a password")
        if (self.mechanism == "OAUTHBEARER") != (self.token_endpoint is not None):
            raise ValueError('mechanism = "OAUTHBEARER" and token_endpoint = "https://..." go together')
        if any(re.search(r'["\\\n]', text or "") for text in (self.username, self.scope)):
            raise ValueError("username and scope have no quotation marks, backslashes or ends of lines")
        if not self.security.endswith("SSL") and not self.allow_plaintext:
            away = [server.strip() for server in self.servers.split(",") if not is_loopback(server)]
            if away:
                raise ValueError(
                    f"{away[0]} is another machine and {self.security} is not encrypted: use SSL or SASL_SSL, or say "
                    "allow_plaintext = true"
                )
        return self

    def for_java(self) -> dict[str, str]:
        """Options of Java's client, with references for secrets."""
        options = {"bootstrap.servers": self.servers, "security.protocol": self.security}
        if self.security.startswith("SASL"):
            options |= {"sasl.mechanism": self.mechanism, "sasl.jaas.config": self._login_module()}
        if self.token_endpoint:
            options |= {"sasl.login.callback.handler.class": TOKEN_HANDLER}
            options |= {"sasl.oauthbearer.token.endpoint.url": self.token_endpoint}
        if self.authorities:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": self.authorities}
        if self.certificate:
            options |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": self.certificate}
            if self.certificate_password:
                options["ssl.key.password"] = self.certificate_password
        options |= kafka_options.for_java(self.options)
        return options | (PROVIDERS if "${" in "".join(options.values()) else {})

    def _login_module(self) -> str:
        """The login as Java's client takes it."""
        if self.mechanism == "OAUTHBEARER":
            login = f'clientId="{self.username}" clientSecret="{self.password}"'
            login += f' scope="{self.scope}"' if self.scope else ""
        else:
            login = f'username="{self.username}" password="{self.password}"'
        return f"{MODULES.get(self.mechanism, SCRAM)} required {login};"

    def for_python(self) -> dict[str, Any]:
        """Options of confluent-kafka, with the secrets. Raises OSError, KeyError if one is not where it should be."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security,
            "log_level": 0,
        }
        if self.token_endpoint:
            options |= {"sasl.mechanism": self.mechanism, "sasl.oauthbearer.method": "oidc"}
            options |= {"sasl.oauthbearer.token.endpoint.url": self.token_endpoint}
            options |= {"sasl.oauthbearer.client.id": self.username}
            options |= {"sasl.oauthbearer.client.secret": resolve_reference(self.password)}
            options |= {"sasl.oauthbearer.scope": self.scope} if self.scope else {}
        elif self.security.startswith("SASL"):
            options |= {"sasl.mechanism": self.mechanism, "sasl.username": self.username}
            options["sasl.password"] = resolve_reference(self.password)
        if self.authorities:
            options["ssl.ca.location"] = self.authorities
        if self.certificate:
            options |= {"ssl.key.location": self.certificate, "ssl.certificate.location": self.certificate}
            if self.certificate_password:
                options["ssl.key.password"] = resolve_reference(self.certificate_password)
        return options | kafka_options.for_python(self.options)


def is_loopback(server: str) -> bool:
    """Whether host:port is of this machine."""
    host = server.strip().rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
