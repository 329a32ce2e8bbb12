"""A view: rows by SQL over tables of latest rows, kept up to date."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from pyspark.sql.types import StructType

from jobs.answers.event_rows import anchors
from jobs.running.errors import Mistake

HIDDEN = ("change_carried", "revision", "updated_time")
"""Columns of tables of latest rows that SQL does not see: they depend on when changes came and were published."""
CHANGED = "changed"
"""In the SQL of `touched`: the rows that have changed, as they were and as they are."""

_TEXT_OR_SPACE = re.compile(r"('(?:[^']|'')*'|\"(?:[^\"]|\"\")*\")|--[^\n]*|\s+")
"""A quoted text or name, or else what only separates words."""


@dataclass(frozen=True)
class View:
    """The rows of a SELECT over the tables of latest rows of the same result, in the dialect of DuckDB."""

    sql: str
    """The tables are called as the answers: LATEST.named("follows") is `follows`. Equal tables must give equal rows:
    what is ordered is ordered by columns that tell rows apart."""
    key: tuple[str, ...]
    """The columns that tell a row from another; never null."""
    by: tuple[str, ...] = ()
    """A change touches the rows with some values of these columns, and no others. Empty: it may touch any row, and
    every publish computes the whole view."""
    touched: Mapping[str, str] | None = None
    """By table, SQL that selects the touched values of `by`, in this order, from `changed`, which has the changed rows
    of that table as they were and as they are, and from the other tables. None: it follows from the SQL where that is
    certain, and else every publish computes the whole view."""
    limit: Mapping[str, tuple[str, int]] | None = None
    """By table, a column and a number: of a value of the column that more rows have, the view reads none of them. They
    are left to readers: see view_reader.rows. {"follows": ("followee", 50_000)}: nobody with more followers."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""

    def __post_init__(self) -> None:
        anchors.check_names(self.owner, self.key, self.by)
        if isinstance(self.sql, str):
            object.__setattr__(self, "sql", _on_one_line(self.sql))
        if self.touched is not None:
            object.__setattr__(self, "touched", {name: _on_one_line(sql) for name, sql in self.touched.items()})
        if not self.key:
            raise Mistake(f'{self.owner}: key takes the columns that tell rows apart: key=("follower", "post")')
        if not isinstance(self.sql, str) or not self.sql.strip():
            raise Mistake(f'{self.owner}: sql takes a SELECT: sql="select ... from ..."')
        if self.touched is not None and not self.by:
            raise Mistake(f"{self.owner}: touched gives values of by, and by is empty: say by, or leave touched out")

        for table, at in (self.limit or {}).items():
            if not (isinstance(at, tuple) and len(at) == 2 and isinstance(at[1], int) and at[1] > 0):
                raise Mistake(
                    f"{self.owner}: limit takes a column and the most rows that a value of it may have: "
                    f'limit={{"{table}": ("followee", 50_000)}}'
                )

    def named(self, name: str) -> "View":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def owner(self) -> str:
        """What messages call it."""
        return f"View {self.name}" if self.name else "View"

    def columns(self, given: Mapping[str, StructType]) -> StructType:
        """The columns of its rows. `given`: those of the tables of latest rows, by name.

        Raises Mistake if the SQL is none, reads something else, or does not give equal rows for equal tables.
        """
        from jobs.answers.views import analysis  # not at the top: DuckDB takes a fifth of a second to load

        return analysis.analyse(self, given).columns


def _on_one_line(sql: str) -> str:
    """The SQL without comments and the semicolon at its end, words one space apart: its layout is no part of what a
    result means. SQL with backslashes, dollar quotes or long comments stays as it is: these take more to be read.
    """
    if any(sign in sql for sign in ("\\", "$$", "/*")):
        return sql
    return _TEXT_OR_SPACE.sub(lambda found: found[1] or " ", sql).strip().removesuffix(";").rstrip()
