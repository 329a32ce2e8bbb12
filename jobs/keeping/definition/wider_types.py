"""Which types hold every value of another type, unchanged?"""

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StructField,
    StructType,
)

_WHOLE = (ByteType, ShortType, IntegerType, LongType)


def holds(now: DataType, was: DataType) -> bool:
    """Whether `now` is `was`, or a wider type of the same kind: int for tinyint or smallint, bigint for these three,
    double for float, a decimal of more digits before the point; inside of lists, maps and structs too.

    Whether null may stand in a column is not part of its type.
    """
    if isinstance(was, _WHOLE) and isinstance(now, _WHOLE):
        return _WHOLE.index(type(now)) >= _WHOLE.index(type(was))
    if isinstance(was, FloatType) and isinstance(now, DoubleType):
        return True
    if isinstance(was, DecimalType) and isinstance(now, DecimalType):
        return now.scale == was.scale and now.precision >= was.precision
    if isinstance(was, ArrayType) and isinstance(now, ArrayType):
        return holds(now.elementType, was.elementType)
    if isinstance(was, MapType) and isinstance(now, MapType):
        return holds(now.keyType, was.keyType) and holds(now.valueType, was.valueType)
    if isinstance(was, StructType) and isinstance(now, StructType):
        same = now.fieldNames() == was.fieldNames()
        return same and all(holds(a.dataType, b.dataType) for a, b in zip(now, was, strict=True))
    return now == was


def is_same(now: DataType, was: DataType) -> bool:
    """Whether they are the same type, leaving aside where null may stand."""
    return holds(now, was) and holds(was, now)


def overlay(now: StructType, was: StructType) -> StructType:
    """The columns `now`, with the types of `was` for those columns, and fields of structs, that it has."""
    return StructType(
        [
            StructField(field.name, _overlay_type(field.dataType, was[field.name].dataType))
            if field.name in was.fieldNames()
            else field
            for field in now
        ]
    )


def _overlay_type(now: DataType, was: DataType) -> DataType:
    return overlay(now, was) if isinstance(now, StructType) and isinstance(was, StructType) else was
