"""A zip that was built before a file was changed is refused."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from jobs.running import stale_zip
from jobs.running.errors import Refused

FILES = ("jobs/run.py", "jobs/trip.py", "schemas/trip.py", "sketches/bloom.py")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A project and the zip of it."""
    with ZipFile(tmp_path / "headrace.zip", "w") as packed:
        for name in FILES:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(f"# {name}\n")
            packed.write(tmp_path / name, name)
    return tmp_path


def check(checkout: Path, archive: str = "headrace.zip") -> None:
    stale_zip.check(str(checkout / "jobs" / "trip.py"), ["", str(checkout / archive), str(checkout)])


def test_a_zip_of_the_same_sources_is_taken(checkout: Path) -> None:
    (checkout / "jobs" / "trip.py").touch()
    check(checkout)


@pytest.mark.parametrize("name", ["jobs/trip.py", "schemas/new.py"])
def test_one_that_lacks_a_change_is_refused(checkout: Path, name: str) -> None:
    (checkout / name).write_text("# changed\n")
    with pytest.raises(Refused, match=rf"headrace\.zip was built before {name} was changed.*`make zip`"):
        check(checkout)


def test_nothing_else_is_compared(checkout: Path, tmp_path: Path) -> None:
    """Another zip, a file that is none, a job file whose sources are not there, no file at all."""
    (checkout / "jobs" / "trip.py").write_text("# changed\n")
    (checkout / "broken.zip").write_bytes(b"PK no zip")
    with ZipFile(checkout / "others.zip", "w") as packed:
        packed.writestr("trips.py", "")
    for archive in ("others.zip", "broken.zip", "gone.zip"):
        check(checkout, archive)
    stale_zip.check("/elsewhere/jobs/trip.py", [str(checkout / "headrace.zip")])
    stale_zip.check(None, [str(checkout / "headrace.zip")])
