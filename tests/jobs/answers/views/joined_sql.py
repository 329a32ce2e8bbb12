"""Random SELECTs over three small tables, and random rows of these."""

from dataclasses import dataclass

import pyarrow as pa
from hypothesis import strategies as st
from pyspark.sql.types import BooleanType, LongType, StringType, StructField, StructType

TABLES = ("a", "b", "c")
Row = dict[str, object]
Rows = dict[str, dict[int, Row]]
"""By table and id."""
NUMBERS = st.sampled_from([1, 0, 1, 0, 2, None])


def columns(table: str) -> StructType:
    """Those of a table: two have the same names everywhere."""
    own = [("id", LongType()), ("n", LongType()), ("s", StringType()), ("live", BooleanType())]
    fields = [StructField(f"{table}_{name}", kind) for name, kind in own]
    return StructType([*fields, StructField("x", LongType()), StructField("y", LongType())])


SCHEMAS = {
    table: pa.schema(
        [
            *((f"{table}_id", pa.int64()), (f"{table}_n", pa.int64()), (f"{table}_s", pa.string())),
            *((f"{table}_live", pa.bool_()), ("x", pa.int64()), ("y", pa.int64())),
        ]
    )
    for table in TABLES
}


def rows(table: str) -> st.SearchStrategy[Row]:
    """A row without its id."""
    values = {
        f"{table}_n": NUMBERS,
        f"{table}_s": st.sampled_from(["q'", "q'", "p", None]),
        f"{table}_live": st.sampled_from([True, True, False, None]),
        "x": NUMBERS,
        "y": NUMBERS,
    }
    return st.fixed_dictionaries(values)


@st.composite
def states(draw: st.DrawFn) -> tuple[Rows, Rows]:
    """The tables before and after some changes."""
    before, after = Rows(), Rows()
    for table in TABLES:
        ids = draw(st.sets(st.integers(1, 6), min_size=1, max_size=5))
        before[table] = {key: draw(rows(table)) | {f"{table}_id": key} for key in ids}
        after[table] = dict(before[table])
        for key in draw(st.sets(st.integers(1, 6), max_size=2)):
            after[table].pop(key, None)
            if draw(st.booleans()):
                after[table][key] = draw(rows(table)) | {f"{table}_id": key}
    return before, after


@dataclass(frozen=True)
class Source:
    """A table in FROM."""

    table: str
    alias: str
    is_alone: bool
    """Whether its own columns need no alias before them."""


@st.composite
def references(draw: st.DrawFn, source: Source, names: tuple[str, ...]) -> str:
    """A column of the source, with its alias or without."""
    name = draw(st.sampled_from(names))
    if name in ("x", "y"):
        return f"{source.alias}.{name}"
    own = f"{source.table}_{name}"
    return own if source.is_alone and draw(st.booleans()) else f"{source.alias}.{own}".upper()


@st.composite
def conditions(draw: st.DrawFn, sources: list[Source], last: Source | None = None) -> str:
    """Conditions that must all be true; of a join with `last`, mostly with an equality between it and another one."""
    found = [draw(condition(sources, last)) for _ in range(draw(st.integers(1, 3)))]
    if last and draw(st.integers(0, 3)):
        one = draw(st.sampled_from(sources))
        found.append(f"{draw(references(one, ('x', 'y', 'n')))} = {draw(references(last, ('x', 'y', 'n')))}")
    return " and ".join(found)


@st.composite
def condition(draw: st.DrawFn, sources: list[Source], last: Source | None) -> str:
    """A condition of one of the sources or two."""
    numbers = ("x", "y", "n")
    one, other = (draw(st.sampled_from([*sources, *filter(None, [last])])) for _ in range(2))
    kind = draw(
        st.sampled_from(["equal"] * 4 + ["turned", "less", "flag", "no flag", "null", "filled", "either", "set"])
    )
    sign = draw(st.sampled_from(["=", "<>", "<=", ">"]))
    texts = {
        "equal": lambda: f"{draw(references(other, numbers))} = {draw(references(one, numbers))}",
        "turned": lambda: f"({draw(references(one, numbers))} = {draw(references(other, numbers))})",
        "less": lambda: f"{draw(references(one, numbers))} < {draw(references(other, numbers))}",
        "flag": lambda: draw(references(other, ("live",))),
        "no flag": lambda: f"not {draw(references(other, ('live',)))}",
        "null": lambda: f"{draw(references(other, ('n', 'x', 'live')))} is null",
        "filled": lambda: f"coalesce({draw(references(other, ('n', 'x')))}, 1) = {draw(references(one, ('n', 'x')))}",
        "either": lambda: f"({draw(references(one, numbers))} = 1 or {draw(references(other, numbers))} = 2)",
        "set": lambda: draw(
            st.sampled_from(
                [
                    f"{draw(references(other, numbers))} {sign} 1",
                    f"{draw(references(other, ('s',)))} {sign} 'q'''",
                    f"{draw(references(other, ('live',)))} {sign} true",
                ]
            )
        ),
    }
    return texts[kind]()


@st.composite
def froms(draw: st.DrawFn) -> tuple[str, list[Source]]:
    """FROM with its joins, and WHERE."""
    tables = draw(st.lists(st.sampled_from(TABLES), min_size=1, max_size=4))
    sources = [Source(one, f"t{n}", tables.count(one) == 1) for n, one in enumerate(tables)]
    sql = f"from {sources[0].table} as {sources[0].alias}"
    for n, source in enumerate(sources[1:], 1):
        named = f"{source.table} {source.alias}"
        kind = draw(
            st.sampled_from(["join", "inner join", "left join", "left join", "left outer join", "comma", "using"])
        )
        if kind == "comma":
            sql += f", {named}" if draw(st.booleans()) else f" cross join {named}"
        elif kind == "using" and n == 1:
            sql += f" {draw(st.sampled_from(['', 'left ']))}join {named} using (x)"
        else:
            kind = "join" if kind == "using" else kind
            sql += f" {kind} {named} on {draw(conditions(sources[:n], source))}"
    if draw(st.booleans()):
        sql += f" where {draw(conditions(sources))}"
    return sql, sources


@st.composite
def selects(draw: st.DrawFn) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    """A SELECT, its key and `by`."""
    sql, sources = draw(froms())
    root = draw(st.sampled_from(sources))
    names = draw(st.lists(st.sampled_from(["x", "y", "n"]), min_size=1, max_size=2, unique=True))
    by = [f"by_{name}" for name in names]
    given = [draw(references(root, (name,))) for name in names]
    listed = ", ".join(f"{column} as {name}" for column, name in zip(given, by, strict=True))
    ids = [f"coalesce({one.alias}.{one.table}_id, 0)" for one in sources]
    shape = draw(st.sampled_from(["rows", "distinct", "groups", "all groups", "rank", "named rank", "rank in groups"]))
    lasts = f"{sources[-1].alias}.x"
    if shape in ("groups", "all groups", "rank in groups"):
        keys = ", ".join(f"coalesce({column}, 9) as key_{name}" for column, name in zip(given, names, strict=True))
        more = ", rank() over (partition by {0} order by count(*)) as place" if shape == "rank in groups" else ""
        group = (
            "all" if shape == "all groups" else draw(st.sampled_from([", ".join(given), "1" + ", 2" * (len(by) - 1)]))
        )
        totals = f"count(*) as n, sum({lasts}) as total{more.format(', '.join(given))}"
        sql = f"select {listed}, {keys}, {totals} {sql} group by {group}"
        return sql, tuple(f"key_{name}" for name in names), tuple(by)
    keys = ", ".join(f"{one} as id{n}" for n, one in enumerate(ids))
    rank = ""
    if shape in ("rank", "named rank"):
        over = f"partition by {', '.join(reversed(given))} order by {lasts}, {', '.join(ids)}"
        rank = f", row_number() over {'w' if shape == 'named rank' else f'({over})'} as place"
        sql += f" window w as ({over})" if shape == "named rank" else ""
        sql += " qualify place <= 2"
    first = "distinct " if shape == "distinct" else ""
    key = tuple(f"id{n}" for n in range(len(ids)))
    return f"select {first}{listed}, {keys}, {lasts} as value{rank} {sql}", key, tuple(by)
