"""How a database whose changes are read is reached: the tables [databases.NAME] of a places file. NAME is how the
capture tool calls the database (topic.prefix). A password is a reference, as in [kafka].
"""

from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from jobs.running.errors import Refused
from jobs.running.kafka_access import is_loopback
from jobs.running.references import absolute_reference, resolve_reference


class DatabasePlace(BaseModel):
    """A PostgreSQL that `headrace verify` and `headrace doctor` may ask."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    """postgresql://USER@HOST:PORT/DATABASE, as psql takes it, without a password. To another machine with ?sslmode=."""
    password: str | None = None
    """A reference, ${file:PATH:NAME} or ${env:NAME}. None: as psql finds it, in PGPASSWORD or ~/.pgpass."""
    slot: str = "debezium"
    """The replication slot of the connector (slot.name)."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, url: str) -> str:
        flaw = address_flaw(url)
        if flaw:
            raise ValueError(flaw)
        return url

    @field_validator("password")
    @classmethod
    def _check_password(cls, password: str | None, info: ValidationInfo) -> str | None:
        return None if password is None else absolute_reference(password, info)

    def secret(self, name: str) -> str | None:
        """The password of the database `name`, if it has one here. Raises Refused if its reference leads to none."""
        if self.password is None:
            return None
        try:
            return resolve_reference(self.password)
        except (OSError, KeyError) as error:
            reason = error.strerror if isinstance(error, OSError) else error.args[0]
            raise Refused(f"the password of [databases.{name}] cannot be read: {reason}.") from None


def address_flaw(url: str) -> str | None:
    """Why headrace connects to no such address; None if it does. Never repeats the address, which may hold a secret."""
    scheme, _, rest = url.partition("://")
    place, _, _ = rest.partition("/")
    user, _, servers = place.partition("?")[0].rpartition("@")
    try:
        options = parse_qs(urlsplit(url).query)
    except ValueError:
        options = {}
    if ":" in user or {"password", "sslpassword"} & options.keys():
        return (
            "a password does not belong into the address, which others can see: put it into PGPASSWORD or ~/.pgpass, "
            'or into the places file as [databases.NAME] with password = "${env:NAME}" or "${file:PATH:NAME}"'
        )
    if scheme not in ("postgresql", "postgres") or not rest:
        return "the address is no postgresql://USER@HOST:PORT/DATABASE"
    hosts = [unquote(server) for server in servers.split(",") if server]
    hosts += [host for host in ",".join(options.get("host", [])).split(",") if host and not host.startswith("/")]
    away = [host for host in hosts if not is_loopback(host if _has_port(host) else f"{host}:5432")]
    if away and "sslmode" not in options:
        return (
            f"{away[0]} is another machine: add ?sslmode=verify-full to the address (with sslrootcert=FILE if the "
            "system does not trust its certificate), or another sslmode"
        )
    return None


def _has_port(host: str) -> bool:
    return host.rpartition(":")[2].isdigit() and not (host.count(":") > 1 and not host.startswith("["))
