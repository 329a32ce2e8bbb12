"""Spark's errors about a transform or a record, explained by names and types, never by a value."""

import builtins
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jobs.running import jvm, mistakes
from jobs.running.mistakes import Place

_WRAPPERS = ("INTERNAL_ERROR", "STREAM_FAILED", "PYTHON_EXCEPTION")
_OF_COLUMNS = (
    "UNRESOLVED_COLUMN",
    "UNRESOLVED_FIELD",
    "FIELD_NOT_FOUND",
    "AMBIGUOUS_REFERENCE",
    "AMBIGUOUS_COLUMN_OR_FIELD",
    "COLUMN_ALREADY_EXISTS",
    "DATATYPE_MISMATCH",
)
_SENTENCES = {
    "UNRESOLVED_COLUMN": "there is no column {objectName}",
    "UNRESOLVED_MAP_KEY": "there is no column {objectName}; as the key of a map it needs quotes",
    "UNRESOLVED_FIELD": "there is no field {fieldName} in {columnPath}",
    "FIELD_NOT_FOUND": "there is no field {fieldName}; there are {fields}",
    "UNRESOLVED_ROUTINE": "Spark has no function {routineName}",
    "AMBIGUOUS_REFERENCE": "there is more than one column {name}; give each a name of its own",
    "AMBIGUOUS_COLUMN_OR_FIELD": "there is more than one {name}; give each a name of its own",
    "PARSE_SYNTAX_ERROR": "the SQL cannot be read at {error}",
    "WRONG_NUM_ARGS": "{functionName} takes {expectedNum} arguments, not {actualNum}",
    "TABLE_OR_VIEW_NOT_FOUND": "there is no table {relationName}; hand the frame to the SQL: "
    'df.sparkSession.sql("select ... from {{d}}", d=df)',
}
_SHOWN = re.compile(
    "name|Name|[tT]ype|^(n|proposal|fields?|columnPath|(expected|actual|legacy)Num|paramIndex|other|side|func)$"
)
"""Parameters that hold names, types and numbers of the author's code; the others may hold a value."""
_OF_DATA = (
    "USER_RAISED_EXCEPTION",
    "INCONSISTENT_BEHAVIOR_CROSS_VERSION.PARSE_DATETIME",
    "NULL_MAP_KEY",
    "DUPLICATED_MAP_KEY",
    "NOT_NULL_ASSERT_VIOLATION",
    "COLLECTION_SIZE_LIMIT_EXCEEDED",
    "FAILED_EXECUTE_UDF",
    "ROW_VALUE_IS_NULL",
)
_REMEDIES = {
    "CAST_": 'try_cast gives null where it does not fit, F.col("x").try_cast("int"); or cast to a wider type',
    "NUMERIC_VALUE_OUT_OF_RANGE": "Cast to a wider decimal or to double, or with try_cast, which gives null",
    "DIVIDE_BY_ZERO": "F.try_divide gives null, as does a divisor F.nullif(x, F.lit(0))",
    "INTERVAL_DIVIDED_BY_ZERO": "F.try_divide gives null, as does a divisor F.nullif(x, F.lit(0))",
    "REMAINDER_BY_ZERO": "F.try_mod gives null, as does a divisor F.nullif(x, F.lit(0))",
    "ARITHMETIC_OVERFLOW": "Cast to a wider type first (bigint, decimal, double); F.try_add, F.try_subtract and "
    "F.try_multiply give null",
    "BINARY_ARITHMETIC_OVERFLOW": "Cast to a wider type first (bigint, decimal, double); F.try_add, F.try_subtract and "
    "F.try_multiply give null",
    "INVALID_ARRAY_INDEX": "F.get and F.try_element_at give null beyond the end",
    "INVALID_INDEX_OF_ZERO": "The first element of element_at has index 1; F.get counts from 0",
    "CANNOT_PARSE_TIMESTAMP": "F.try_to_timestamp gives null where it does not fit",
    "INCONSISTENT_BEHAVIOR": "F.try_to_timestamp gives null where it does not fit",
    "CONVERSION_INVALID_INPUT": "F.try_to_number and their like give null where it does not fit",
    "USER_RAISED_EXCEPTION": "It is the transform's own raise_error or assert_true: leave such records out with where",
}
_ELSE = "Leave such records out with where, or take the function's try_ form, which gives null"
_REFUSALS = ("Refused", "Unreachable", "ArchiveError")
"""Classes of the engine whose messages say what is wrong and what to do."""
_EXCEPTIONS = [name for name in dir(builtins) if name.endswith(("Error", "Exception"))]


@dataclass(frozen=True)
class Condition:
    """An error condition of Spark, such as CAST_INVALID_INPUT."""

    name: str
    state: str
    """SQLSTATE; it begins with 22 for errors in data."""
    parameters: Mapping[str, str]

    def names(self, parameter: str) -> str:
        """A parameter that holds names or types, without the quotes around each."""
        return re.sub(r"[`\"\[\]]", "", self.parameters.get(parameter) or "")


def conditions(error: BaseException) -> list[Condition]:
    """The conditions of an error that came from Java, and of its causes; empty for another."""
    found: list[Condition] = []
    cause: Any = java_exception(error)
    utils = None if cause is None else jvm.error_utils()
    for _ in range(20):
        if cause is None or utils is None:
            break
        try:
            name = utils.getCondition(cause)
            if name:
                found.append(Condition(name, utils.getSqlState(cause) or "", dict(utils.getMessageParameters(cause))))
        except Exception:  # this cause has no condition
            pass
        cause = cause.getCause()
    return found


def silence() -> None:
    """Keep pyspark from writing Java's errors to standard error, as their messages hold values."""
    from pyspark.logger import PySparkLogger

    for name in ("DataFrameQueryContextLogger", "SQLQueryContextLogger"):
        PySparkLogger.getLogger(name).disabled = not os.environ.get("HEADRACE_DEBUG")


def java_exception(error: BaseException) -> Any:
    """Java's exception behind an error of pyspark or py4j; None if there is none."""
    return getattr(error, "_origin", None) or getattr(error, "java_exception", None)


def is_plan_error(error: BaseException) -> bool:
    """Whether Spark has refused a plan, before it looked at a record."""
    return "AnalysisException" in [kind.__name__ for kind in type(error).__mro__]


def plan_fault(conditions: list[Condition], at_work: bool) -> str | None:
    """What is wrong with the columns, functions or types that a transform names; None if it is not about these.

    `at_work`: the error came while the transform ran; else while the engine worked on the frame that it returned.
    """
    for condition in conditions:
        base = condition.name.partition(".")[0]
        if base in _WRAPPERS or not (at_work or base in _OF_COLUMNS):
            continue
        if base in _SENTENCES:
            meant = condition.names("proposal")
            return _SENTENCES[base].format_map(_Names(condition)) + (f"; did you mean {meant}?" if meant else "")
        return _spark_message(condition)
    return None


class _Names(dict[str, str]):
    def __init__(self, condition: Condition) -> None:
        self._condition = condition

    def __missing__(self, name: str) -> str:
        return self._condition.names(name)


def _spark_message(condition: Condition) -> str:
    """Spark's own message, with those of its parameters that hold no value."""
    shown = {name: condition.names(name) if _SHOWN.search(name) else "..." for name in condition.parameters}
    if condition.name == "DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES":
        shown |= {side: condition.names(side) for side in ("left", "right")}
    try:
        words = jvm.error_message(condition.name, shown)
    except Exception:  # no message of Spark's, such as one of Delta's
        return condition.name
    words = " ".join(re.sub(r" ?SQLSTATE: \w+$", "", words.removeprefix(f"[{condition.name}]")).split())
    return re.sub(r"^Cannot resolve \.\.\. due to data type mismatch: ", "the types do not fit: ", words)


def is_data_error(condition: Condition) -> bool:
    """Whether a record is the cause, and not how the transform is written."""
    if condition.name.startswith(("KAFKA_", "DELTA_")):
        return False
    return condition.state.startswith("22") or condition.name.startswith(_OF_DATA)


def data_fault(conditions: list[Condition], read: str | None) -> str | None:
    """That the transform fails on a record, which records were read, and what to do; None for another error."""
    condition = next((condition for condition in conditions if is_data_error(condition)), None)
    if condition is None:
        return None
    remedy = next((text for sign, text in _REMEDIES.items() if condition.name.startswith(sign)), _ELSE)
    kinds = [condition.names(name) for name in ("sourceType", "targetType") if name in condition.parameters]
    what = condition.name + (f", {' to '.join(kinds)}" if kinds else "")
    return _unreadable(what, read, remedy)


def udf_fault(conditions: list[Condition], read: str | None) -> tuple[Place, str] | None:
    """The line of the author's Python function that failed in a worker, and the message; None if none has."""
    for condition in conditions:
        if condition.name != "PYTHON_EXCEPTION":
            continue
        traceback = condition.parameters.get("traceback") or ""
        lines = re.findall(r'^  File "(.+)", line (\d+)', traceback, re.MULTILINE)
        places = [Place(Path(file), int(line)) for file, line in lines if mistakes.is_authors(file)]
        if places:
            return places[-1], _unreadable(
                _kind(traceback), read, "Let the Python function give None for such a record"
            )
    return None


def refusal_of_worker(conditions: list[Condition]) -> str | None:
    """The message of a refusal that the engine has raised in a Python worker; None if none was."""
    for condition in conditions:
        traceback = (condition.parameters.get("traceback") or "") if condition.name == "PYTHON_EXCEPTION" else ""
        files = re.findall(r'^  File "(.+)", line \d+', traceback, re.MULTILINE)
        refusals = re.findall(rf"^jobs\.(?:\w+\.)+(?:{'|'.join(_REFUSALS)}): (.+)", traceback, re.MULTILINE)
        if files and refusals and mistakes.is_engine(files[-1]):
            return str(refusals[-1])
    return None


def _kind(traceback: str) -> str:
    """The class of the exception that ends a traceback, if it is one of Python's own: another might be a value."""
    kinds = re.findall(r"^(\w+)(?=:|$)", traceback, re.MULTILINE)
    known = [kind for kind in kinds if kind in _EXCEPTIONS]
    return known[0] if known else "an error in Python"


def _unreadable(what: str, read: str | None, remedy: str) -> str:
    among = f" among those of {read}" if read else ""
    left = ". Nothing of them was written: the next run reads them again." if read else "."
    return f"the transform cannot compute a record{among} ({what}). {remedy}{left}"
