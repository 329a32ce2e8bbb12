"""What the plan of a transform says: how each column is computed from those of the source, and which rows there are.

Read from Spark's analysed plan, by rules that leave out what has no meaning: columns that nothing uses, their order,
names and intermediate steps, the numbers that Spark gives to columns, and the seeds of random numbers. Nodes that are
not row by row, and that no rule here knows, are taken as Spark prints them, with all their columns.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.events.topic_schema import quote
from jobs.keeping.definition.lineage import Columns, Lineage, join
from jobs.running import spark_plan
from jobs.running.spark_plan import members, node_name

_FIELDS = "spark.sql.debug.maxToStringFields"
_BY_TYPE = ("XxHash64", "Murmur3Hash", "TypeOf", "ShiftRightUnsigned")
"""Functions whose result for 1 depends on the type of 1."""
_SEEDED = ("Rand", "Randn", "Uuid", "Shuffle", "RandStr", "Uniform")
_SUBQUERIES = ("ScalarSubquery", "ListQuery", "Exists", "LateralSubquery")


def read(transformed: DataFrame, source: list[str]) -> tuple[Lineage, dict[str, Lineage]]:
    """The rows and, by name, the columns of `transformed`, a transform of an `empty` source of these columns."""
    with _print_whole_plans(transformed.sparkSession):
        analysed = spark_plan.analysed_plan(transformed)
        rows, columns = _node_lineage(analysed, source)
        return rows, {column.name(): columns[_number(column)] for column in members(analysed.output())}


def empty(spark: SparkSession, columns: Any) -> DataFrame:
    """A source for `read`: no rows of these columns (a StructType)."""
    return spark_plan.empty_relation(spark, columns)


@contextmanager
def _print_whole_plans(spark: SparkSession) -> Iterator[None]:
    """Else Spark leaves out what is long when it prints a plan."""
    before = spark.conf.get(_FIELDS)
    spark.conf.set(_FIELDS, 2**31 - 1)
    try:
        yield
    finally:
        spark.conf.set(_FIELDS, str(before))


def _number(column: Any) -> int:
    return int(column.exprId().id())


def _node_lineage(plan: Any, source: list[str]) -> tuple[Lineage, Columns]:
    kind = node_name(plan)
    if kind == "LocalRelation" and [column.name() for column in members(plan.output())] == source:
        own = {_number(column): (column.name(),) for column in members(plan.output())}
        return Lineage("source"), {
            number: Lineage(quote(path[0]), frozenset([path]), path=path) for number, path in own.items()
        }
    below = [_node_lineage(child, source) for child in members(plan.children())]
    columns = {number: lineage for _, known in below for number, lineage in known.items()}
    if kind in ("SubqueryAlias", "View"):
        return below[0][0], columns
    if kind == "Project":
        return below[0][0], columns | _project(plan, columns, source)
    if kind == "Filter":
        condition = _expression_lineage(plan.condition(), columns, source)
        return join(f"{below[0][0].text}\nwhere {condition.text}", [below[0][0], condition]), columns
    if kind == "Generate":
        return _generate(plan, below[0][0], columns, source)
    if kind == "Union":
        return _union(plan, below)
    return _unknown_node(plan, [rows for rows, _ in below], columns)


def _project(plan: Any, columns: Columns, source: list[str]) -> Columns:
    aliases = {}
    for column in members(plan.projectList()):
        if node_name(column) == "Alias":
            aliases[_number(column)] = _expression_lineage(column.child(), columns, source).shorten()
    return aliases


def _generate(plan: Any, rows: Lineage, columns: Columns, source: list[str]) -> tuple[Lineage, Columns]:
    generator = _expression_lineage(plan.generator(), columns, source)
    exploded = join(f"{rows.text}\nfor each {generator.text}, or none: {plan.outer()}", [rows, generator])
    new = {
        _number(column): join(f"{place} of {exploded.text}", [generator]).shorten()
        for place, column in enumerate(members(plan.generatorOutput()))
    }
    return exploded, columns | new


def _union(plan: Any, below: list[tuple[Lineage, Columns]]) -> tuple[Lineage, Columns]:
    """The rows of several nodes, whose columns correspond by position."""
    rows = join("\nand ".join(f"({rows.text})" for rows, _ in below), [rows for rows, _ in below])
    places = zip(members(plan.output()), *(members(child.output()) for child in members(plan.children())), strict=True)
    columns = {}
    for column, *parts in places:
        lineages = [known[_number(part)] for part, (_, known) in zip(parts, below, strict=True)]
        columns[_number(column)] = join(" and ".join(lineage.text for lineage in lineages), lineages).shorten()
    return rows, columns


def _unknown_node(plan: Any, rows: list[Lineage], columns: Columns) -> tuple[Lineage, Columns]:
    """A node as Spark prints it; each of its columns may depend on everything below it."""
    new: dict[str, int] = {}

    def column_text(number: re.Match[str]) -> str:
        known = columns.get(int(number[1]))
        return f"#{known.text}" if known else f"#{new.setdefault(number[1], len(new))}"

    text = re.sub(r"#(\d+)L?", column_text, str(plan.simpleString(2**31 - 1)))
    parts = [*rows, *columns.values()]
    node = join("\n".join([text, *(f"over {below.text}" for below in rows)]), parts)
    output = {
        _number(column): columns.get(_number(column)) or join(f"{place} of {node.text}", parts).shorten()
        for place, column in enumerate(members(plan.output()))
    }
    return node, output


def _expression_lineage(expression: Any, columns: Columns, source: list[str]) -> Lineage:
    """An expression as Spark prints it, with the texts of its columns in their place."""
    texts: list[tuple[str, str]] = []
    parts: list[Lineage] = []
    variables: dict[int, int] = {}

    def visit(node: Any, by_type: bool) -> None:
        known, kind = _column_lineage(node, columns), node_name(node)
        if known:
            texts.append((str(node.toString()), known.text))
            parts.append(Lineage("", known.uses, known.uses if by_type else known.by_type))
            return
        if kind == "NamedLambdaVariable":  # Spark gives each one a new number
            texts.append((str(node.toString()), f"variable {variables.setdefault(_number(node), len(variables))}"))
        if kind in _SUBQUERIES:
            rows, known_inside = _node_lineage(node.plan(), source)
            inner = [known_inside[_number(column)] for column in members(node.plan().output())]
            texts.append((str(node.toString()), f"{kind} ({rows.text}: {', '.join(column.text for column in inner)})"))
            parts.extend([rows, *inner])
        if kind in _SEEDED:
            texts.append((str(node.toString()), str(node.withNewSeed(0).toString())))
        if kind.startswith("Python"):
            texts.append((str(node.toString()), re.sub(r"#\d+L?$", "", str(node.toString()))))
        binary = kind == "Cast" and node.dataType().simpleString() == "binary"
        for child in members(node.children()):
            visit(child, by_type or binary or kind in _BY_TYPE)

    known = _column_lineage(expression, columns)
    if known:
        return known
    visit(expression, False)
    text = str(expression.toString())
    for printed, replacement in sorted(set(texts), key=lambda pair: -len(pair[0])):
        text = re.sub(re.escape(printed) + r"(?!\d)", lambda _, new=replacement: new, text)  # type: ignore[misc]
    return join(text, parts)


def _column_lineage(node: Any, columns: Columns) -> Lineage | None:
    """The lineage of a column, or of a field of a column of the source; None if `node` is something else."""
    kind = node_name(node)
    if kind == "AttributeReference":
        return columns.get(_number(node))
    if kind != "GetStructField":
        return None
    parent = _column_lineage(node.child(), columns)
    if parent is None or parent.path is None:
        return None
    path = (*parent.path, str(node.extractFieldName()))
    return Lineage(f"{parent.text}.{quote(path[-1])}", frozenset([path]), path=path)
