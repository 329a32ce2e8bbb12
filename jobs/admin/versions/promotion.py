"""The name that readers use is pointed to another result, or back to the one before."""

import getpass
import os
import platform

from jobs.admin.versions import equal_offsets
from jobs.answers import contract, table_names
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.keeping.steps import Kind
from jobs.lake import delta_tables, pointers
from jobs.lake.pointers import Pointers, Switch, SwitchKind
from jobs.running.errors import Mistake, Refused
from jobs.running.places import Places


def promote(places: Places, name: str, result: str, may_be_behind: bool = False) -> Switch:
    """Point `name` to `result`, in one commit.

    Raises Refused if the name is that of a table, if the result has published nothing, if it has not read as far as the
    one that the name points to (but for `may_be_behind`), or if somebody else switches a name at the same time.
    """
    before = pointers.read(places)
    check_name(name)
    present = before.targets.get(name)
    if present == result:
        raise Refused(f"{name} points to {result} already.")
    last = _check_result(places, before, result)
    _check_free(places, before, name, result, last)
    if present is not None and not may_be_behind:
        _check_extent(places, present, result, last)
    return _switch(places, before, SwitchKind.PROMOTE, name, result, last)


def rollback(places: Places, name: str) -> Switch:
    """Point `name` back to the result to which it pointed before the last promotion that was not rolled back.

    Raises Refused if there is none, or if it was retired.
    """
    before = pointers.read(places)
    check_name(name)
    known = before.targets
    if name not in known:
        there = f"there are {', '.join(sorted(known))}" if known else "there are none"
        raise Refused(f"no name {name} in {places.tables}; {there}: make one with `headrace promote`.")
    earlier = before.results_before(name)
    if not earlier:
        raise Refused(f"{name} points to {known[name]}, and there is no result before it to which it could go back.")
    last = _check_result(places, before, earlier[-1])
    return _switch(places, before, SwitchKind.ROLLBACK, name, earlier[-1], last)


def check_name(name: str) -> None:
    """Raises Refused unless readers may use this name."""
    try:
        contract.check_name(name)
    except Mistake:
        raise Refused(
            f"{name!r} cannot be a name for readers: it takes letters, digits, _, - and dots, and does not end with "
            f"{', '.join(map(table_names.suffix, table_names.KINDS))}."
        ) from None
    if name == pointers.TABLE:
        raise Refused(f"{name} is the table of headrace's own in which names are kept: take another name.")


def _check_result(places: Places, before: Pointers, result: str) -> Row:
    """The last row of its ledger. Raises Refused unless its tables are there and hold something."""
    if result in before.targets:
        raise Refused(f"{result} is a name itself; it points to {before.targets[result]}: name the result.")
    try:
        contract.check_name(result)
    except Mistake as mistake:
        raise Refused(f"{mistake}.") from None
    last = ledger.last(places, result)
    if last is None:
        there = ", ".join(ledger.results(places)) or "none"
        raise Refused(f"there is no result {result} in {places.tables}: run its job. Results there: {there}.")
    if before.is_retired(_ledger_id(places, result)):
        raise Refused(
            f"{result} is retired: its tables are removed, or about to be. `headrace retire {result}` ends it."
        )
    if ledger.last(places, result, Kind.BATCH) is None or not equal_offsets.published_offsets(places, result, last):
        raise Refused(f"{result} has published nothing yet: run its job first.")
    gone = [table for table in last.tables if delta_tables.find(places.table(table)) is None]
    if gone:
        raise Refused(f"the table {places.table(gone[0])} of {result} is gone: see `headrace doctor {result}`.")
    return last


def _check_free(places: Places, before: Pointers, name: str, result: str, last: Row) -> None:
    """Raises Refused if what readers would mean by the name, or by a table's name that begins so, is there already."""
    taken = {f"{name}{table[len(result) :]}" for table in (result, *last.tables)} | set(table_names.all_tables(name))
    found = sorted(table for table in taken if delta_tables.find(places.table(table)) is not None)
    if found:
        raise Refused(
            f"the table {places.table(found[0])} is there already, so readers cannot use {name} as a name for others."
        )
    meant = None if name in before.targets else before.table(name)
    if meant is not None and delta_tables.find(places.table(meant)) is not None:
        raise Refused(f"readers use {name} for the table {meant} already, by a shorter name: take another name.")
    shadowed = sorted(taken & before.targets.keys() - {name})
    if shadowed:
        raise Refused(f"{shadowed[0]} is a name already, and would be that of a table of {name}: take another name.")


def _check_extent(places: Places, present: str, result: str, last: Row) -> None:
    """Raises Refused if readers would go back in the log."""
    row = ledger.last(places, present)
    if row is None:
        return
    now, then = (equal_offsets.published_offsets(places, *each) for each in ((present, row), (result, last)))
    for topic in sorted(now.keys() & then.keys()):
        for partition, offset in sorted(now[topic].items()):
            if then[topic].get(partition, 0) < offset:
                raise Refused(
                    f"{result} has published topic {topic}, partition {partition} up to offset "
                    f"{then[topic].get(partition, 0):,}, and {present}, which readers have now, up to {offset:,}: run "
                    "its job first, or give --behind."
                )


def _switch(places: Places, before: Pointers, kind: SwitchKind, name: str, result: str, last: Row) -> Switch:
    offsets = equal_offsets.published_offsets(places, result, last)
    row = Switch(kind, name, before.targets.get(name), result, _ledger_id(places, result), offsets, who())
    return pointers.append(places, before, row)


def _ledger_id(places: Places, result: str) -> str:
    return delta_tables.identity(ledger.path(places, result))[0]


def who() -> str:
    """User and machine, for the history."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def shared_deliveries(places: Places, switch: Switch) -> list[str]:
    """Labels of the deliveries that both the result before and the new one send to."""
    rows = [ledger.last(places, name) for name in (switch.from_result, switch.to_result) if name]
    known = [set(row.delivered_sequence) for row in rows if row]
    return sorted(set.intersection(*known)) if len(known) == 2 else []
