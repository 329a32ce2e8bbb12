"""Values of Python, as decoders of Avro and Protobuf give them, as the values of JSON that the gate reads."""

import base64
import math
from collections.abc import Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from pyspark.sql.types import ArrayType, DataType, FractionalType, MapType, StringType, StructType


def json_value(value: Any, kind: DataType) -> Any:
    """The value as JSON has it, for a column of this type: of an object only the fields that the column has. What does
    not fit the type is handed on, for the gate to judge.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return _json_object(value, kind)
    if isinstance(value, list | tuple):
        item = kind.elementType if isinstance(kind, ArrayType) else StringType()
        return [json_value(each, item) for each in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Decimal):
        is_fraction = isinstance(kind, FractionalType) and not kind.typeName().startswith("decimal")
        return float(value) if is_fraction else format(value, "f")
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def _json_object(value: Mapping[str, Any], kind: DataType) -> dict[str, Any]:
    if isinstance(kind, StructType):
        there = [field for field in kind if field.name in value]
        return {field.name: json_value(value[field.name], field.dataType) for field in there}
    inside = kind.valueType if isinstance(kind, MapType) else StringType()
    return {str(name): json_value(each, inside) for name, each in value.items()}
