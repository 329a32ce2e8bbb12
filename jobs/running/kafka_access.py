"""How a Kafka broker is reached: the table [kafka] of a places file, as options of Java's and of Python's client.

The file never holds a secret, but a reference to it, ${file:PATH:NAME} (a properties file) or ${env:NAME}. Java's
client gets the reference and opens it itself (Kafka's config providers), so that no plan, log or checkpoint of Spark
has the secret; the file or the variable has to be on the executors too.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

REFERENCE = re.compile(r"\$\{(?:env:(?P<variable>[A-Za-z_][A-Za-z0-9_]*)|file:(?P<path>[^:}]+):(?P<name>[^:}]+))\}")
PROVIDERS = {
    "config.providers": "file,env",
    "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
}
MODULES = {"PLAIN": "plain.PlainLoginModule"}
SCRAM = "scram.ScramLoginModule"


class Kafka(BaseModel):
    """Where the broker is and how to log in. Relative paths start at the folder of the places file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    servers: str
    """host:port, several with commas."""
    security: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL. Without SSL only on this machine; see `allow_plaintext`."""
    mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How to log in with SASL: PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."""
    username: str | None = None
    """Needed with SASL."""
    password: str | None = None
    """Needed with SASL: a reference, ${file:PATH:NAME} or ${env:NAME}."""
    authorities: str | None = None
    """PEM file with the certificates that sign the broker's; None: those that the system trusts."""
    certificate: str | None = None
    """PEM file with the client's own key and certificate, for mutual TLS."""
    certificate_password: str | None = None
    """Of the key in `certificate`, if it has one: a reference."""
    allow_plaintext: bool = False
    """Whether records may cross a network without TLS."""

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
        return None if path is None else _below(info, path)

    @model_validator(mode="after")
    def _check_login(self) -> "Kafka":
        if self.security.startswith("SASL") and not (self.username and self.password):
            raise ValueError(f"{self.security} needs a username and a password")
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
            module = f"org.apache.kafka.common.security.{MODULES.get(self.mechanism, SCRAM)}"
            options["sasl.mechanism"] = self.mechanism
            options["sasl.jaas.config"] = f'{module} required username="{self.username}" password="{self.password}";'
        if self.authorities:
            options |= {"ssl.truststore.type": "PEM", "ssl.truststore.location": self.authorities}
        if self.certificate:
            options |= {"ssl.keystore.type": "PEM", "ssl.keystore.location": self.certificate}
            if self.certificate_password:
                options["ssl.key.password"] = self.certificate_password
        return options | (PROVIDERS if "${" in "".join(options.values()) else {})

    def for_python(self) -> dict[str, Any]:
        """Options of confluent-kafka, with the secrets. Raises OSError, KeyError if one is not where it should be."""
        options: dict[str, Any] = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security,
            "log_level": 0,
        }
        if self.security.startswith("SASL"):
            options |= {"sasl.mechanism": self.mechanism, "sasl.username": self.username}
            options["sasl.password"] = resolve_reference(self.password)
        if self.authorities:
            options["ssl.ca.location"] = self.authorities
        if self.certificate:
            options |= {"ssl.key.location": self.certificate, "ssl.certificate.location": self.certificate}
            if self.certificate_password:
                options["ssl.key.password"] = resolve_reference(self.certificate_password)
        return options


def resolve_reference(reference: str | None) -> str:
    """The secret that a reference names. Raises OSError or KeyError, with the name of the file or variable alone."""
    found = REFERENCE.fullmatch(reference or "")
    if not found:
        raise KeyError("no reference")
    if found["variable"]:
        if found["variable"] not in os.environ:
            raise KeyError(f"the environment has no variable {found['variable']}")
        return os.environ[found["variable"]]
    for line in Path(found["path"]).read_text(encoding="utf-8").splitlines():
        name, sign, value = line.partition("=")
        if sign and name.strip() == found["name"]:
            return value.strip()
    raise KeyError(f"{found['path']} has no line {found['name']}=...")


def absolute_reference(secret: str, info: ValidationInfo) -> str:
    """The reference with the absolute path of its file. Raises ValueError if it is none."""
    found = REFERENCE.fullmatch(secret)
    if not found:
        raise ValueError("a secret does not belong into this file: give ${file:PATH:NAME} or ${env:NAME}")
    if not found["path"]:
        return secret
    path = _below(info, found["path"])
    if re.search("[:}]", path):
        raise ValueError(f"the path {path!r} has a colon or a brace, and Kafka ends it there: move it elsewhere")
    return f"${{file:{path}:{found['name']}}}"


def _below(info: ValidationInfo, path: str) -> str:
    folder = (info.context or {}).get("folder", ".")
    return str((Path(folder) / path).resolve())


def is_loopback(server: str) -> bool:
    """Whether host:port is of this machine."""
    host = server.strip().rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
