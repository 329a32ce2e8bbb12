"""Names of the tables of a result: its own, for what is published, and this name with a suffix for each other one."""

from typing import Literal, get_args

TableKind = Literal[
    "panes", "calendar_days", "spells", "deleted", "filters", "clocks", "stragglers", "quarantine", "feed", "ledger"
]
KINDS: tuple[TableKind, ...] = get_args(TableKind)
"""The tables of a result beside the one that has its name. Not every result has them all."""


def suffix(kind: TableKind) -> str:
    """What follows the name of a result in the name of its table of this kind."""
    return f"_{kind}"


def table(name: str, kind: TableKind) -> str:
    """The name of a table of result `name`."""
    return name + suffix(kind)


def part(name: str, what: str) -> str:
    """The name of the table of result `name` for an answer or a topic; "": the table that has its name."""
    return f"{name}_{what}" if what else name


def all_tables(name: str) -> tuple[str, ...]:
    """The names of all tables that result `name` may have."""
    return (name, *(table(name, kind) for kind in KINDS))
