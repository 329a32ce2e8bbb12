"""How a schema registry is reached: the table [schema_registry] of a places file. Secrets are references."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from jobs.running.kafka_access import is_loopback
from jobs.running.references import absolute_reference, below, resolve_reference

TIMEOUT_SECONDS = 5
"""How long a registry may take to answer."""


class SchemaRegistry(BaseModel):
    """A registry with Confluent's interface. Relative paths start at the folder of the places file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """https://HOST:PORT, on this machine also http://."""
    username: str | None = None
    """If it asks for one; at Confluent Cloud the API key."""
    password: str | None = None
    """A reference, ${file:PATH:NAME} or ${env:NAME}."""
    authorities: str | None = None
    """PEM file with the certificates that sign the registry's; None: the authorities that browsers trust."""
    allow_plaintext: bool = False
    """Whether schemas and the password may cross a network without TLS."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give https://HOST:PORT")
        if parts.username or parts.password:
            raise ValueError("a secret does not belong into this file: give username and password = ${env:NAME}")
        return url

    @field_validator("password")
    @classmethod
    def _check_password(cls, password: str | None, info: ValidationInfo) -> str | None:
        return None if password is None else absolute_reference(password, info)

    @field_validator("authorities")
    @classmethod
    def _absolute(cls, path: str | None, info: ValidationInfo) -> str | None:
        return None if path is None else below(info, path)

    @model_validator(mode="after")
    def _check(self) -> "SchemaRegistry":
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together")
        parts = urlsplit(self.url)
        if parts.scheme == "http" and not self.allow_plaintext and not is_loopback(f"{parts.hostname}:0"):
            raise ValueError(
                f"{parts.hostname} is another machine and http is not encrypted: use https, or allow_plaintext = true"
            )
        return self

    def for_client(self) -> dict[str, Any]:
        """Options of confluent-kafka's client. Raises OSError, KeyError if a secret is not where it should be."""
        options: dict[str, Any] = {"url": self.url, "timeout": TIMEOUT_SECONDS, "max.retries": 2}
        if self.password is not None:
            options["basic.auth.user.info"] = f"{self.username}:{resolve_reference(self.password)}"
        if self.authorities:
            options["ssl.ca.location"] = self.authorities
        return options
