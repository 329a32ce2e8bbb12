"""What may stand in the SQL of a view: it reads the tables of latest rows alone, and equal tables give equal rows.

DuckDB says what it has understood (names, types, functions behind macros); what is not known to be harmless is refused.
"""

from collections.abc import Collection, Iterator
from typing import Any

from jobs.answers.views.engine import Engine
from jobs.running.errors import Mistake

_HARMLESS = frozenset(
    f"LOGICAL_{name}"
    for name in (
        *(
            "PROJECTION",
            "FILTER",
            "AGGREGATE_AND_GROUP_BY",
            "WINDOW",
            "UNNEST",
            "LIMIT",
            "ORDER_BY",
            "TOP_N",
            "DISTINCT",
        ),
        *("GET", "DUMMY_SCAN", "EXPRESSION_GET", "EMPTY_RESULT", "COLUMN_DATA_GET", "DELIM_GET", "CTE_REF"),
        *("COMPARISON_JOIN", "ANY_JOIN", "CROSS_PRODUCT", "DELIM_JOIN", "DEPENDENT_JOIN", "ASOF_JOIN"),
        *("UNION", "EXCEPT", "INTERSECT", "MATERIALIZED_CTE", "RECURSIVE_CTE"),
    )
)
"""Operators that give equal rows for equal tables. A positional join does not: it depends on how rows lie."""
_SOURCES = ("seq_scan", "range", "generate_series", "unnest")
"""Functions that give rows: those of a table, and those that are made of arguments."""
_OF_THE_CLOCK = ("current_localtimestamp", "current_localtime")
"""Functions that DuckDB takes for stable, and that are not."""
_OF_THE_ENGINE = ("version",)
_FIRST_COMES = ("any_value", "arbitrary", "first", "last", "list", "array_agg", "string_agg", "group_concat", "listagg")
"""Aggregates that depend on which row comes first; with ORDER BY they do not."""
_BY_CHANCE = ("mode", "reservoir_quantile", "approx_quantile", "approx_top_k")
"""Aggregates that depend on which row comes first, and take no ORDER BY."""
_UNORDERED = ("ROW_NUMBER", "NTILE", "LAG", "LEAD", "FIRST_VALUE", "LAST_VALUE", "NTH_VALUE", "FIRST", "LAST")
"""Window functions that depend on the order of rows."""
_ADDING = (
    *("sum", "fsum", "kahan_sum", "sumkahan", "avg", "mean", "favg", "product", "geomean", "geometric_mean", "entropy"),
    *("stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop", "sem", "skewness", "kurtosis"),
    *("kurtosis_pop", "corr", "covar_samp", "covar_pop", "mad"),
)
"""Aggregates that add numbers up, as do those that begin with regr_."""
_FLOATS = ("DOUBLE", "FLOAT")


def columns_read(owner: str, sql: str, engine: Engine, tables: Collection[str]) -> dict[str, frozenset[str]]:
    """Those of the tables that the SQL reads, and of each the columns. Raises Mistake unless it is one SELECT over some
    of them, with equal rows for equal tables. `engine`: has the tables, without rows.
    """
    unstable, found = engine.unstable_functions(), dict[str, frozenset[str]]()
    for node in _nodes(engine.plan(sql)):
        _check_node(owner, node, tables)
        _check_function(owner, node, unstable)
        if _function(node) == "seq_scan":
            table, names = node["function_data"]["table"], node["names"]
            places = [column["index"] for column in node["column_indexes"]]
            columns = frozenset(names[place] for place in places if place < len(names))  # others are places of rows
            found[table] = found.get(table, frozenset()) | columns
    if not found:
        raise Mistake(f"{owner}: its SQL reads no table; there are {', '.join(sorted(tables))}")
    return found


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """Every operator and expression of a plan."""
    waiting = [plan]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _check_node(owner: str, node: dict[str, Any], tables: Collection[str]) -> None:
    kind = str(node.get("type", ""))
    if kind.startswith("LOGICAL_") and kind not in _HARMLESS:
        what = kind.removeprefix("LOGICAL_").replace("_", " ").lower()
        raise Mistake(f"{owner}: its SQL has a {what}, which no view may have: equal tables must give equal rows")
    if kind == "LOGICAL_GET":
        _check_source(owner, node, tables)
    if kind == "LOGICAL_LIMIT" and not _has_order(node):
        raise Mistake(f"{owner}: a LIMIT without ORDER BY takes any rows. Order by columns that tell rows apart")
    if kind == "LOGICAL_DISTINCT" and node.get("distinct_type") == "DISTINCT_ON" and not node.get("order_by"):
        raise Mistake(f"{owner}: DISTINCT ON without ORDER BY takes any rows. Order by columns that tell rows apart")


def _check_source(owner: str, node: dict[str, Any], tables: Collection[str]) -> None:
    function = _function(node)
    data = node.get("function_data") or {}
    if function not in _SOURCES or (function == "seq_scan" and data.get("table") not in tables):
        there = ", ".join(sorted(tables))
        raise Mistake(
            f"{owner}: its SQL reads {data.get('table') or function}; a view reads tables of latest rows: {there}"
        )


def _has_order(limit: dict[str, Any]) -> bool:
    """Whether the rows that a LIMIT takes are in an order: it stands right below, or below what keeps it."""
    below = limit["children"][0]
    while below["type"] in ("LOGICAL_PROJECTION", "LOGICAL_FILTER") and below["children"]:
        below = below["children"][0]
    return bool(below["type"] == "LOGICAL_ORDER_BY")


def _function(node: dict[str, Any]) -> str:
    path = (node.get("qname") or {}).get("path") or [""]
    return str(path[-1]).lower()


def _check_function(owner: str, node: dict[str, Any], unstable: Collection[str]) -> None:
    name, arguments = _function(node), [one.get("id") for one in node.get("arguments") or []]
    kind, of_class = str(node.get("type", "")), node.get("expression_class")
    if name in unstable or name in _OF_THE_CLOCK or (name == "age" and len(arguments) == 1):
        raise Mistake(
            f"{owner}: {name}() has another value each time, and equal tables must give equal rows. Leave it out; what "
            "depends on the time belongs where the view is read"
        )
    if name in _OF_THE_ENGINE:
        raise Mistake(f"{owner}: {name}() is about DuckDB, and no value of a table. Leave it out")
    if of_class == "BOUND_WINDOW" and kind.removeprefix("WINDOW_") in _UNORDERED and not node.get("orders"):
        raise Mistake(
            f"{owner}: {kind.removeprefix('WINDOW_').lower()}() without ORDER BY depends on how rows lie: order them"
        )
    if of_class not in ("BOUND_AGGREGATE", "BOUND_WINDOW"):
        return
    if name in _BY_CHANCE:
        raise Mistake(f"{owner}: {name}() depends on how rows lie, and equal tables must give equal rows. Leave it out")
    has_order = (node.get("order_bys") or {}).get("orders") or node.get("orders") or node.get("arg_orders")
    if name in _FIRST_COMES and not has_order:
        raise Mistake(f"{owner}: {name}() depends on how rows lie: give it an order, such as {name}(x order by id)")
    if (name in _ADDING or name.startswith("regr_")) and any(kind in _FLOATS for kind in arguments):
        raise Mistake(
            f"{owner}: {name}() adds up numbers of type DOUBLE or FLOAT, and the last digits depend on their order. "
            f"Add up whole numbers or decimals: {name}(x::decimal(18, 6))"
        )
