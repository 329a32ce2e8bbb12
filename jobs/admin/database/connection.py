"""A connection to PostgreSQL, by libpq and so with all that psql knows: services, PGPASSWORD, ~/.pgpass, TLS."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.running.database_access import address_flaw
from jobs.running.errors import Refused
from jobs.running.places import Places

if TYPE_CHECKING:
    import psycopg

SETTINGS = "-c DateStyle=ISO,YMD -c TimeZone=UTC -c bytea_output=hex -c extra_float_digits=1 -c client_encoding=UTF8"
"""However the server or the user is set: how values are written as text."""
SECONDS = 10
"""To connect."""


@dataclass(frozen=True)
class Database:
    """Where a database is."""

    name: str
    """As the capture tool calls it."""
    url: str
    password: str | None
    """None: libpq finds it."""
    slot: str | None
    """The connector's replication slot; None: nobody has named it."""

    def __repr__(self) -> str:
        return f"Database({self.name!r})"


def find(places: Places, against: str | None, prefix: str) -> Database:
    """The database that `against` names: a [databases.NAME] of the places file, or an address. None: that of the
    prefix of the topic. Raises Refused if there is no such one, without a word of an address, which may hold a secret.
    """
    name = prefix if against is None else against
    if name in places.databases:
        place = places.databases[name]
        return Database(name, place.url, place.secret(name), place.slot)
    if against is not None and "://" in against:
        flaw = address_flaw(against)
        if flaw:
            raise Refused(f"--against: {flaw}.")
        return Database(prefix, against, None, None)
    shown = f" {name}" if re.fullmatch(r"[\w.-]{1,100}", name) else ""
    known = f"; it has {', '.join(places.databases)}" if places.databases else "; it has none" if shown else ""
    raise Refused(
        f"the places file has no database{shown}{known}. Give it a table [databases.{prefix or 'NAME'}] with "
        'url = "postgresql://USER@HOST:PORT/DATABASE", or name the address: --against postgresql://...'
    )


@contextmanager
def open_connection(database: Database) -> Iterator["psycopg.Connection[Any]"]:
    """A connection that commits each statement. What PostgreSQL refuses becomes Refused, in one line without values."""
    try:
        import psycopg
    except ImportError:
        raise Refused("to ask PostgreSQL takes psycopg: pip install 'headrace[postgres]'.") from None
    more = {} if database.password is None else {"password": database.password}
    try:
        connection = psycopg.connect(
            database.url,
            autocommit=True,
            connect_timeout=SECONDS,
            application_name="headrace",
            options=SETTINGS,
            **more,  # type: ignore[arg-type]
        )
    except psycopg.OperationalError as error:
        why = " ".join(str(error).split())
        if database.password:
            why = why.replace(database.password, "***")
        raise Refused(f"no connection to the database {database.name}: {why}.") from None
    except (psycopg.Error, UnicodeError):
        raise Refused(f"the address of the database {database.name} is none that PostgreSQL's client takes.") from None
    try:
        with connection:
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise Refused(
            f"the database {database.name} does not let this user: {error.diag.message_primary}. "
            "Grant it SELECT on the table."
        ) from None
    except psycopg.Error as error:
        what = f"{type(error).__name__} {error.sqlstate or ''}".strip()
        raise Refused(f"the database {database.name} did not answer a question: {what}. Run again.") from None
