"""The address of a database has no password, and crosses no network by chance without TLS."""

from pathlib import Path

import pytest

from jobs.admin.database import connection
from jobs.running.database_access import address_flaw
from jobs.running.errors import Refused
from jobs.running.places import read_places

SECRET = "hunter2-canary"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://reader:{SECRET}@127.0.0.1/shop",
        f"postgresql://reader@127.0.0.1/shop?password={SECRET}",
        f"postgres://:{SECRET}@/shop",
        f"mysql://reader:{SECRET}@db/shop",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(url: str, tmp_path: Path) -> None:
    places = tmp_path / "places.toml"
    folders = "".join(f'{name} = "{name}"\n' for name in ("archive", "tables", "checkpoints"))
    places.write_text(f'{folders}[databases.store]\nurl = "{url}"\n')
    with pytest.raises(Refused) as refused:
        read_places(places)
    places.write_text(folders)
    with pytest.raises(Refused) as also:
        connection.find(read_places(places), url, "store")
    for message in (str(refused.value), str(also.value)):
        assert SECRET not in message and "does not belong into the address" in message and "~/.pgpass" in message


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader@127.0.0.1:5432/shop",
        "postgresql://reader@localhost/shop",
        "postgresql://reader@[::1]:5432/shop",
        "postgresql://reader@[::1]/shop",
        "postgresql:///shop",
        "postgresql:///shop?host=/var/run/postgresql",
        "postgresql://reader@db.example.org/shop?sslmode=verify-full",
        "postgresql://reader@one:5432,two:5432/shop?sslmode=require",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert address_flaw(url) is None


@pytest.mark.parametrize(
    "url, flaw",
    [
        ("postgresql://reader@db.example.org/shop", "db.example.org is another machine"),
        ("postgresql://reader@127.0.0.1,10.0.0.1/shop", "10.0.0.1 is another machine"),
        ("postgresql:///shop?host=db", "db is another machine"),
        ("host=db user=reader", "is no postgresql://"),
        ("http://db/shop", "is no postgresql://"),
    ],
)
def test_addresses_that_are_refused(url: str, flaw: str) -> None:
    assert flaw in (address_flaw(url) or "")


def test_what_is_no_address_is_not_repeated(tmp_path: Path) -> None:
    places = tmp_path / "places.toml"
    places.write_text("".join(f'{name} = "{name}"\n' for name in ("archive", "tables", "checkpoints")))
    with pytest.raises(Refused) as refused:
        connection.find(read_places(places), f"host=db password={SECRET}", "store")
    assert SECRET not in str(refused.value) and "[databases.store]" in str(refused.value)
    with pytest.raises(Refused, match=r"no database shop; it has none"):
        connection.find(read_places(places), "shop", "store")
    with pytest.raises(Refused, match=r"has no database\. Give it a table \[databases\.NAME\] with "):
        connection.find(read_places(places), None, "")
