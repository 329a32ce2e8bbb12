"""Whether anything about a result may have changed since it was looked up: small questions, in place of reading its
tables. Delta writes each change of a table as a file with the next version as its name.
"""

from collections.abc import Hashable, Iterable
from pathlib import Path

from jobs.keeping import last_run, ledger, locks
from jobs.log import home
from jobs.running.errors import Refused
from jobs.running.places import Places


def of_result(places: Places, name: str, tables: Iterable[str]) -> Hashable | None:
    """A value that is another one once a run has begun or ended, or a table or a checkpoint of result `name` has
    changed; None on object storage, where the question is as dear as the answer. `tables`: of the folder of tables.
    """
    if "://" in places.tables or "://" in places.checkpoints:
        return None
    own = [table for table in tables if table == name or table.startswith(f"{name}_")]
    # Names of versions, not times of files: two commits may fall into one tick of the clock.
    versions = tuple((table, _newest_version(Path(places.table(table)) / "_delta_log")) for table in own)
    run = _time_and_size(Path(ledger.path(places, name)) / last_run.FILE)
    checkpoints = tuple(_times_below(Path(places.checkpoints) / name))
    return versions, run, locks.holder(places.checkpoints, name), checkpoints


def of_log(places: Places, topics: Iterable[str]) -> Hashable:
    """A value that is another one once the log has other records of these topics, or answers otherwise."""
    return tuple((topic, _ends(places, topic)) for topic in topics)


def tables(places: Places) -> list[str]:
    """The names in the folder of tables; none if there is none, or on object storage."""
    folder = Path(places.tables)
    return [] if "://" in places.tables or not folder.is_dir() else sorted(path.name for path in folder.iterdir())


def _newest_version(log: Path) -> str:
    """The name of the last commit; empty if there is no table."""
    try:
        return max((path.name for path in log.iterdir() if path.name.endswith(".json")), default="")
    except OSError:
        return ""


def _time_and_size(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _times_below(folder: Path) -> Iterable[tuple[str, int]]:
    """When the folders of checkpoints, and those in them, have got or lost a file."""
    for path in sorted((*folder.glob("*"), *folder.glob("*/*"))):
        if path.is_dir():
            yield str(path), path.stat().st_mtime_ns


def _ends(places: Places, topic: str) -> Hashable:
    """The ends of the topic's partitions; or why the log does not say."""
    try:
        found = home.look(places, topic)
    except Refused as error:
        return str(error)
    return found.id, tuple(sorted(found.firsts.items())), tuple(sorted(found.ends.items()))
