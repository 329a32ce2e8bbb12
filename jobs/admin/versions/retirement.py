"""A result that no name points to any more is removed: its tables, its checkpoints and its ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake.exceptions import DeltaError

from jobs.admin.versions import promotion
from jobs.keeping import ledger, locks
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables, pointers
from jobs.lake.pointers import Pointers, Switch, SwitchKind
from jobs.running import durations, storage
from jobs.running.errors import Refused
from jobs.running.places import Places

_REMOVED = "-removed"
"""Follows the name of the folder of a ledger while that is removed."""


@dataclass(frozen=True)
class Removal:
    """What is removed of a result, in this order."""

    result: str
    ledger_id: str
    tables: tuple[str, ...]
    """Paths; the ledger, which names them, is removed after them and the checkpoints."""
    checkpoints: str
    ledger: str
    foreign: tuple[str, ...]
    """Paths of tables that somebody has put in the place of the result's: they stay."""
    begun: bool
    """Whether it was begun already, and did not come to its end."""


def plan(places: Places, result: str, after: str, now: datetime | None = None) -> Removal:
    """What `retire` would remove.

    Raises Refused if a name points to the result, or has done so less than `after` ago (a duration such as "7 days"),
    or never has; if it runs; or if it is no result.
    """
    _, removal = _find(places, result, after, now)
    holder = locks.holder(places.checkpoints, result)
    if holder:
        raise Refused(f"{result} is running ({holder}): stop its job first, and take it out of the schedule.")
    return removal


def retire(
    places: Places,
    result: str,
    after: str,
    now: datetime | None = None,
    step: Callable[[str], None] = lambda _: None,
) -> Removal:
    """Remove the tables, the checkpoints and the ledger of a result. If it is stopped, the next call goes on.

    Raises Refused as `plan`. First a row among the switches says so: from then on no name can be pointed to it. `step`
    is called with the name of each table before it is removed.
    """
    _find(places, result, after, now)  # what is refused leaves no lock behind
    with locks.exclusive_change(places.checkpoints, result) as folder:
        before, removal = _find(places, result, after, now)
        if not removal.begun:
            row = Switch(SwitchKind.RETIRE, None, None, result, removal.ledger_id, {}, promotion.who())
            pointers.append(places, before, row)
        for path in (*removal.tables, removal.checkpoints):
            step(path)
            storage.remove_folder(path)
        step(removal.ledger)
        _remove_ledger(removal.ledger)
        for lock in (f"{result}.java.lock", f"{result}.lock"):
            (folder / lock).unlink(missing_ok=True)
    return removal


def _remove_ledger(path: str) -> None:
    """Remove it at once, as far as readers can tell: one of which half is there could not be read by a later call."""
    if "://" not in path and not path.endswith(_REMOVED):
        storage.remove_folder(path + _REMOVED)
        Path(path).rename(path + _REMOVED)
        path += _REMOVED
    storage.remove_folder(path)


def _find(places: Places, result: str, after: str, now: datetime | None) -> tuple[Pointers, Removal]:
    """The switches until now, and what is to be removed in their light. Raises Refused as `plan`, but for a run."""
    promotion.check_name(result)
    seconds = durations.seconds(after)
    before, home = pointers.read(places), ledger.path(places, result)
    if "://" not in home and Path(home + _REMOVED).is_dir() and delta_tables.find(home) is None:
        checkpoints = f"{places.checkpoints}/{result}"
        return before, Removal(result, "", (), checkpoints, home + _REMOVED, (), begun=True)
    last = _check_result(places, before, result)
    ledger_id = delta_tables.identity(home)[0]
    begun = before.is_retired(ledger_id)
    if not begun:
        _check_pointers(before, result, after, seconds, now or datetime.now(UTC))
    return before, _removal(places, result, ledger_id, last, begun)


def _check_result(places: Places, before: Pointers, result: str) -> Row:
    """The last row of its ledger. Raises Refused if it is no result."""
    if result in before.targets:
        raise Refused(f"{result} is a name, which points to {before.targets[result]}: name the result to retire.")
    last = ledger.last(places, result)
    if last is None:
        raise Refused(f"there is no result {result} in {places.tables}: nothing to retire.")
    return last


def _check_pointers(before: Pointers, result: str, after: str, seconds: int, now: datetime) -> None:
    pointing = sorted(name for name, target in before.targets.items() if target == result)
    if pointing:
        raise Refused(f"{pointing[0]} points to {result}, so readers use it: point the name to another result first.")
    left = [each.switched_time for each in before.switches if each.from_result == result]
    if not left:
        raise Refused(
            f"no name has ever pointed to {result}, so nobody knows since when it is not read: point a name to it and "
            "away again with `headrace promote`, or remove its tables by hand."
        )
    until = max(left) + timedelta(seconds=seconds)
    if now < until:
        raise Refused(
            f"a name pointed to {result} until {max(left):%Y-%m-%d %H:%M} UTC, which is less than {after} ago: it may "
            f"be retired from {until:%Y-%m-%d %H:%M} UTC on, or at once with a shorter --after."
        )


def _removal(places: Places, result: str, ledger_id: str, last: Row, begun: bool) -> Removal:
    ours, foreign, home = [], [], ledger.path(places, result)
    for name, known in last.tables.items():
        path = places.table(name)
        found = _delta_id(path)
        if found == known["id"] or (begun and found is None):
            ours.append(path)
        elif found is not None:
            foreign.append(path)
    return Removal(result, ledger_id, tuple(ours), f"{places.checkpoints}/{result}", home, tuple(foreign), begun)


def _delta_id(path: str) -> str | None:
    """None if there is no table, or half of one."""
    try:
        return delta_tables.identity(path)[0]
    except DeltaError:
        return None
