"""Is a result still defined as it was when its tables were made? Compared by what it means, told field by field."""

import ast
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from jobs.answers.result import RULES, WINDOWS, WITHOUT_UNIQUES, Result, windows_text
from jobs.answers.windows import Window
from jobs.keeping.definition import fingerprint, wider_types
from jobs.keeping.ledger import Row
from jobs.running import durations
from jobs.running.errors import Mistake

COLUMNS = "columns"
"""The name, in the definition that the ledger has, of the columns of the topic that the result uses."""


@dataclass(frozen=True)
class Definition:
    """How a result is defined now, as a ledger row has it."""

    constants: dict[str, str]
    transform: str
    differences: tuple[str, ...]
    """What means something else than the last ledger row says, in words."""
    removed: tuple[str, ...] = ()
    """Labels of windows that were published up to that row."""
    added: tuple[Window, ...] = ()
    """Windows that were not."""


def now(spark: SparkSession, result: Result, events: StructType, last: Row | None) -> Definition:
    """The definition of `result`, whose transform gets the columns `events`, beside that of its last ledger row."""
    here = fingerprint.of(spark, result, events)
    constants = result.definition()
    differences: list[str] = []
    removed: tuple[str, ...] = ()
    added: tuple[Window, ...] = ()
    if last is not None:
        differences += changed(last.definition, constants, result)
        differences += _transform(spark, result, events, here, last)
        removed, added = windows_changed(last.definition, result)
    constants[COLUMNS] = fingerprint.columns_in_words(here.columns)
    return Definition(constants, here.fingerprint, tuple(differences), removed, added)


def changed(was: Mapping[str, str], now: Mapping[str, str], result: Result) -> list[str]:
    """The constants of `result` that mean something else than before, each as "name field: was X, is now Y".

    Not its windows, which may change: see windows_changed.
    """
    found: list[str] = []
    for name, text in now.items():
        before = was.get(name)
        if before == text or name == WINDOWS or (name == "key" and text == "None"):
            continue  # without a key more records are good than before, and none means something else
        if name == RULES:
            continue  # upgrade.py asks the tables whether it makes a difference
        if before is None:
            # a ledger of an older version may lack a constant: then it was as it is by default
            found += [] if text == str(_defaults(result).get(name)) else [f"{name}: is now {text}"]
        else:
            found += _unlike(name, _read(before), _read(text), _defaults(getattr(result, name, None)))
    return found


def windows_changed(was: Mapping[str, str], result: Result) -> tuple[tuple[str, ...], tuple[Window, ...]]:
    """Labels of the windows that are published no more, and the windows that are new; those that get, or lose, their
    distinct counts are among both.
    """
    if WINDOWS not in was:
        return (), ()
    before = [text for text in was[WINDOWS].split("; ") if text]
    added = tuple(window for window in result.windows if windows_text((window,)) not in before)
    here = windows_text(result.windows).split("; ")
    return tuple(text.removesuffix(WITHOUT_UNIQUES) for text in before if text not in here), added


def _read(text: str) -> Any:
    """A constant of the definition: a dictionary (panes, membership), None, or the text itself."""
    if text == "None" or text.startswith("{"):
        return ast.literal_eval(text)
    return text


def _defaults(value: Any) -> dict[str, Any]:
    """What a dataclass has where a ledger says nothing: fields at their default, and those that an older version, which
    wrote it, did not know.
    """
    known = fields(value) if hasattr(value, "__dataclass_fields__") else ()
    return {field.name: field.default for field in known if field.default is not MISSING}


def _unlike(name: str, was: Any, now: Any, defaults: Mapping[str, Any]) -> list[str]:
    """The parts that differ, each as "field: was X, is now Y"."""
    if isinstance(was, dict) and isinstance(now, dict):
        was, now = ({**defaults, **said} for said in (was, now))
        return [part for key in {**was, **now} for part in _unlike(f"{name} {key}", was.get(key), now.get(key), {})]
    if was == now or _seconds(was) == _seconds(now) is not None:
        return []
    return [f"{name}: was {_shown(was)}, is now {_shown(now)}"]


def _seconds(value: Any) -> int | None:
    try:
        return durations.seconds(value) if isinstance(value, str) else None
    except Mistake:
        return None


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(part)}" for name, part in value.items() if part not in ((), None))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _transform(
    spark: SparkSession, result: Result, events: StructType, here: fingerprint.Meaning, last: Row
) -> list[str]:
    comparable = bool(last.transform) and last.spark_version in ("", spark.version)  # Spark writes its plans anew
    if comparable and not last.transform.startswith(fingerprint.MARK):
        if fingerprint.of_version_0_2_0(spark, result, events) == last.transform:
            return []
        return [
            "transform: it, or the topic's schema file, is not the one that version 0.2.0 knew, for which every column "
            "counted: run once with both as they were, then change them"
        ]
    was = fingerprint.columns_of(last.definition.get(COLUMNS, ""))
    found = _narrower(was, here)
    if found or not comparable or here.fingerprint == last.transform:
        return found
    if fingerprint.of(spark, result, events, was).fingerprint == last.transform:
        return []
    return ["transform: what it does with its columns is not what it was"]


def _narrower(was: StructType, here: fingerprint.Meaning) -> list[str]:
    """The columns that are used and do not hold all that they held, or are used by their type and have another."""
    by_type = {path[0] for path in here.by_type}
    found = []
    for field in was:
        if field.name not in here.columns.fieldNames():
            continue
        before, now = field.dataType, here.columns[field.name].dataType
        fits = wider_types.same(now, before) if field.name in by_type else wider_types.holds(now, before)
        if not fits:
            found.append(f"column {field.name}: was {fingerprint.words(before)}, is now {fingerprint.words(now)}")
    return found
