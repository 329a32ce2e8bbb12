"""Where deliveries go: the tables [deliveries.NAME] of a places file. A secret is a reference, as in [kafka]."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator

from jobs.running.errors import Refused
from jobs.running.kafka_access import is_loopback
from jobs.running.references import REFERENCE, absolute_reference, resolve_reference


class DeliveryPlace(BaseModel):
    """A webhook or a folder. Relative paths start at the folder of the places file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    """Of a Webhook: https://..., on this machine also http://; or a reference to it, if it holds a secret."""
    token: str | None = None
    """A reference to the token that a webhook gets as `Authorization: Bearer`."""
    path: str | None = None
    """Of a File: the folder."""
    allow_plaintext: bool = False
    """Whether rows may cross a network without TLS."""

    @field_validator("token")
    @classmethod
    def _check_token(cls, token: str | None, info: ValidationInfo) -> str | None:
        return None if token is None else absolute_reference(token, info)

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str | None, info: ValidationInfo) -> str | None:
        return absolute_reference(url, info) if url and REFERENCE.fullmatch(url) else url

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: str | None, info: ValidationInfo) -> str | None:
        if path is None or re.match(r"[A-Za-z][\w+.-]*://", path):
            return path
        return str((Path((info.context or {}).get("folder", ".")) / path).resolve())

    @model_validator(mode="after")
    def _check(self) -> "DeliveryPlace":
        if (self.url is None) == (self.path is None):
            raise ValueError('give url = "https://..." for a webhook, or path = "FOLDER" for files')
        if self.url and not REFERENCE.fullmatch(self.url):
            flaw = self._flaw(self.url)
            if flaw:
                raise ValueError(flaw)
        return self

    def _flaw(self, url: str) -> str | None:
        """Why rows cannot be sent to this address; None if they can."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            return "url is no https://HOST/... and no http://HOST/..."
        if parts.username or parts.password:
            return "a secret does not belong into this file: give url = ${file:PATH:NAME} or ${env:NAME}"
        if parts.scheme == "http" and not self.allow_plaintext and not is_loopback(f"{parts.hostname}:0"):
            return (
                f"{parts.hostname} is another machine and http is not encrypted: use https, or allow_plaintext = true"
            )
        return None

    def address(self, name: str) -> str:
        """The address of the webhook `name`. Raises Refused if a reference leads to none."""
        url = self._secret(name, self.url)
        flaw = self._flaw(url)
        if flaw:
            raise Refused(f"[deliveries.{name}]: {flaw}.")
        return url

    def headers(self, name: str) -> dict[str, str]:
        """With the token. Raises Refused if there is none where it should be."""
        return {"Authorization": f"Bearer {self._secret(name, self.token)}"} if self.token else {}

    @staticmethod
    def _secret(name: str, text: str | None) -> str:
        if not text or not REFERENCE.fullmatch(text):
            return text or ""
        try:
            return resolve_reference(text)
        except (OSError, KeyError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.args[0]
            raise Refused(f"a secret of [deliveries.{name}] cannot be read: {reason}.") from None
