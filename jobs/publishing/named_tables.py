"""The tables that a query names."""

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jobs.running.errors import Refused


def names(sql: str) -> tuple[str, ...]:
    """The tables that the SQL reads, each once, as they are written: capital letters count, with quotes or without.

    Raises Refused if it cannot be read.
    """
    try:
        tree = sqlglot.parse_one(sql, read="postgres")
    except SqlglotError as error:
        raise Refused(f"the query is no SQL: {' '.join(str(error).splitlines()[0].split())}") from None
    own = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = dict.fromkeys(table.name for table in tree.find_all(exp.Table) if isinstance(table.this, exp.Identifier))
    return tuple(name for name in found if name not in own)
