"""Which columns the SQL of a view gives, as those of its table."""

from collections import Counter
from collections.abc import Iterable, Mapping

import pyarrow as pa
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

from jobs.running.errors import Mistake

_OWN = ("revision", "updated_time")
_NAMED = {
    "timestamp[us]": "put it into a time zone: x at time zone 'UTC'",
    "timestamp[ns]": "cast it: x::timestamptz",
    "month_day_nano_interval": "give it in seconds: epoch(x)::bigint",
    "time64[us]": "give it as text: x::varchar",
    "null": "give NULL a type: NULL::bigint",
}
_UNSIGNED = "cast it to a type that has a sign, such as x::bigint"
_SCALARS = (
    *(pa.types.is_boolean, pa.types.is_signed_integer, pa.types.is_string, pa.types.is_binary, pa.types.is_date32),
    pa.types.is_decimal128,
)


def check_names(owner: str, names: Iterable[str]) -> None:
    """Raises Mistake if a table cannot have columns of these names."""
    for name, times in Counter(name.lower() for name in names).items():
        if times > 1:
            raise Mistake(
                f"{owner}: its SQL gives two columns {name} (capital and small letters are the same): rename one"
            )
        if name in _OWN or name.startswith("__"):
            raise Mistake(f"{owner}: its SQL gives a column {name}, a name that headrace uses itself: rename it")


def of_schema(owner: str, rows: pa.Schema) -> StructType:
    """The columns as Spark has them. Raises Mistake if a table cannot have one of their types."""
    for field in rows:
        fault = _fault(field.type)
        if fault:
            raise Mistake(f"{owner}: its column {field.name} is {fault[0]}, which a table cannot have: {fault[1]}")
    return from_arrow_schema(rows)


def _fault(kind: pa.DataType) -> tuple[str, str] | None:
    """The type that cannot be, and what to do; None if all of it can."""
    if pa.types.is_list(kind):
        return _fault(kind.value_type)
    if pa.types.is_struct(kind):
        return next(filter(None, (_fault(field.type) for field in kind)), None)
    if pa.types.is_map(kind):
        return _fault(kind.key_type) or _fault(kind.item_type)
    if is_key(kind) or pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return None
    remedy = _UNSIGNED if pa.types.is_unsigned_integer(kind) else _NAMED.get(str(kind), "cast it: x::varchar")
    return str(kind), remedy


def is_key(kind: pa.DataType) -> bool:
    """Whether a column of this type may tell rows apart."""
    return kind == pa.timestamp("us", "UTC") or any(of_kind(kind) for of_kind in _SCALARS)


def check_key(owner: str, field: str, names: tuple[str, ...], rows: pa.Schema) -> None:
    """Raises Mistake unless these columns are there, and can tell rows apart. `field`: of the view."""
    for name in names:
        if name not in rows.names:
            raise Mistake(f"{owner}: {field} has {name}, and its SQL gives {', '.join(rows.names)}")
        if not is_key(rows.field(name).type):
            raise Mistake(
                f"{owner}: {field} has {name}, which is {rows.field(name).type}: no key. Take texts, whole numbers, "
                "decimals, dates or times"
            )


def check_touched(owner: str, table: str, by: Mapping[str, pa.DataType], rows: pa.Schema) -> None:
    """Raises Mistake unless the SQL of `touched` for a table gives columns that compare with those of `by`."""
    if len(rows) != len(by):
        raise Mistake(
            f"{owner}: touched[{table!r}] gives {len(rows)} columns, and by has {len(by)}: {', '.join(by)}. Let it "
            "select these, in this order"
        )
    for given, (name, kind) in zip(rows, by.items(), strict=True):
        if given.type != kind:
            raise Mistake(
                f"{owner}: touched[{table!r}] gives {given.name} as {given.type}, and {name} is {kind}: cast it"
            )
