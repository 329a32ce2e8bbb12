"""A result that no name points to any more is removed: its tables, its checkpoints and its ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deltalake.exceptions import DeltaError

from jobs.admin import promotion
from jobs.answers import contract
from jobs.keeping import ledger, locks
from jobs.keeping.ledger import Row
from jobs.lake import delta_tables, pointers
from jobs.lake.pointers import Pointers, Switch, SwitchKind
from jobs.running import durations, storage
from jobs.running.errors import Mistake, Refused
from jobs.running.places import Places

_REMOVED = ".removed"
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
    before = pointers.read(places)
    last = _check_result(places, before, result)
    ledger_id = delta_tables.identity(ledger.path(places, result))[0]
    begun = before.is_retired(ledger_id)
    if not begun:
        _check_pointers(before, result, after, now or datetime.now(UTC))
    holder = locks.holder(places.checkpoints, result)
    if holder:
        raise Refused(f"{result} is running ({holder}): stop its job first, and take it out of the schedule.")
    return _removal(places, result, ledger_id, last, begun)


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
    promotion.check_name(result)
    home = ledger.path(places, result)
    with locks.exclusive_change(places.checkpoints, result) as folder:
        storage.remove_folder(home + _REMOVED)
        before = pointers.read(places)
        last = _check_result(places, before, result)
        ledger_id = delta_tables.identity(home)[0]
        removal = _removal(places, result, ledger_id, last, before.is_retired(ledger_id))
        if not removal.begun:
            _check_pointers(before, result, after, now or datetime.now(UTC))
            row = Switch(SwitchKind.RETIRE, None, None, result, ledger_id, {}, promotion.who())
            pointers.append(places, before, row)
        for path in (*removal.tables, removal.checkpoints):
            step(path)
            storage.remove_folder(path)
        step(home)
        if "://" not in home:  # a ledger of which half is removed could not be read by the call that goes on
            Path(home).rename(home + _REMOVED)
            home += _REMOVED
        storage.remove_folder(home)
        for lock in (f"{result}.java.lock", f"{result}.lock"):
            (folder / lock).unlink(missing_ok=True)
    return removal


def _check_result(places: Places, before: Pointers, result: str) -> Row:
    """The last row of its ledger. Raises Refused if it is no result."""
    if result in before.targets:
        raise Refused(f"{result} is a name, which points to {before.targets[result]}: name the result to retire.")
    try:
        contract.check_name(result)
    except Mistake as mistake:
        raise Refused(f"{mistake}.") from None
    last = ledger.last(places, result)
    if last is None:
        raise Refused(f"there is no result {result} in {places.tables}: nothing to retire.")
    return last


def _check_pointers(before: Pointers, result: str, after: str, now: datetime) -> None:
    pointing = sorted(name for name, target in before.targets.items() if target == result)
    if pointing:
        raise Refused(f"{pointing[0]} points to {result}, so readers use it: point the name to another result first.")
    left = [each.switched_time for each in before.switches if each.from_result == result]
    if not left:
        raise Refused(
            f"no name has ever pointed to {result}, so nobody knows since when it is not read: point a name to it and "
            "away again with `headrace promote`, or remove its tables by hand."
        )
    until = max(left) + timedelta(seconds=durations.seconds(after))
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
