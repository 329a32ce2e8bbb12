"""Is a result still defined as it was when its tables were created? Compared by what it means, field by field."""

import ast
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any

from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

from jobs.answers.result import RULES, WINDOWS, WITHOUT_UNIQUES, Late, Result, windows_text
from jobs.answers.windows import Window
from jobs.events import fast_decoder
from jobs.keeping.definition import fingerprint, wider_types
from jobs.keeping.ledger import Row
from jobs.running import durations
from jobs.running.errors import Mistake

TOPIC, TRANSFORM = "topic", "transform of topic"
"""In a definition: begin the names of constants of the topics beside the first."""
COLUMNS = "columns"
"""In a definition: the columns of the topic that the result uses."""


DEFAULTS = {"panes": "None", "membership": "None", "allowed_lateness": Late().allowed}
"""What constants were in a version that did not write them."""


@dataclass(frozen=True)
class Definition:
    """How a result is defined now, as a ledger row has it."""

    constants: dict[str, str]
    transform: str
    differences: tuple[str, ...]
    """What no longer means what the last ledger row says, in words."""
    removed: tuple[str, ...] = ()
    """Labels of windows that were published up to that row."""
    added: tuple[Window, ...] = ()
    """Windows that were not."""


def compare(spark: SparkSession, result: Result, events: StructType, last: Row | None) -> Definition:
    """The definition of `result`, whose transform gets the columns `events`, compared with its last ledger row."""
    here = fingerprint.transform_meaning(spark, result, events)
    constants = result.definition()
    differences: list[str] = []
    removed: tuple[str, ...] = ()
    added: tuple[Window, ...] = ()
    further = _further_topics(spark, result)
    if last is not None:
        differences += constant_differences(last.definition, constants, result)
        differences += _further_differences(further, last, last.spark_version in ("", spark.version))
        differences += _transform_differences(spark, result, events, here, last)
        removed, added = changed_windows(last.definition, result)
    constants[COLUMNS] = fingerprint.columns_text(here.columns)
    constants |= further
    return Definition(constants, here.fingerprint, tuple(differences), removed, added)


def _further_topics(spark: SparkSession, result: Result) -> dict[str, str]:
    """Constants that say how the topics beside the first are read, and what their transforms do."""
    constants = {}
    for reading in result.readings[1:]:
        one, columns = reading.definition(), fast_decoder.event_columns(reading.topic)
        meaning = fingerprint.transform_meaning(spark, reading, columns)
        read = {name: one[name] for name in ("key", "event_time", "form") if name in one} | {
            COLUMNS: fingerprint.columns_text(meaning.columns)
        }
        constants[f"{TOPIC} {one['topic']}"] = str(read)
        constants[f"{TRANSFORM} {one['topic']}"] = meaning.fingerprint
    return constants


def _further_differences(now: Mapping[str, str], last: Row, same_spark: bool) -> list[str]:
    """Of the topics beside the first what no longer means what the last ledger row says, in words."""
    was = {name: text for name, text in last.definition.items() if name.startswith((f"{TOPIC} ", f"{TRANSFORM} "))}
    differences = []
    for name in {**was, **now}:
        if was.get(name) == now.get(name) or (name.startswith(TRANSFORM) and not same_spark):
            continue
        words = [_value_text(_parse(text)) if text else "not read" for text in (was.get(name), now.get(name))]
        is_transform = name.startswith(TRANSFORM)
        differences.append(
            f"{name}: it does something else" if is_transform else f"{name}: was {words[0]}, is now {words[1]}"
        )
    return differences


def constant_differences(was: Mapping[str, str], now: Mapping[str, str], result: Result) -> list[str]:
    """The constants of `result` that mean something else than before, each as "name field: was X, is now Y".

    Not its windows, which may change: see changed_windows.
    """
    differences: list[str] = []
    no_longer = {
        name: DEFAULTS.get(name, "None")
        for name in was.keys() & {"late", "answers", "facts_for", "clocks"} - now.keys()
    }
    for name, text in {**now, **no_longer}.items():
        before = was.get(name)
        if before == text or name == WINDOWS or (name == "key" and text == "None"):
            continue  # without a key more records are good, and those that were good before mean the same
        if name == RULES:
            continue  # upgrade.py asks the tables whether it makes a difference
        if before is None:
            # the ledger of an older version may lack a constant, which then had its default
            differences += [] if text == DEFAULTS.get(name, "None") else [f"{name}: is now {text}"]
        else:
            differences += _field_differences(
                name, _parse(before), _parse(text), _defaults(getattr(result, name, None))
            )
    return differences


def changed_windows(was: Mapping[str, str], result: Result) -> tuple[tuple[str, ...], tuple[Window, ...]]:
    """Labels of the windows that are no longer published, and the windows that are new. A window that gets or loses its
    distinct counts is among both.
    """
    if WINDOWS not in was:
        return (), ()
    before = [text for text in was[WINDOWS].split("; ") if text]
    added = tuple(window for window in result.windows if windows_text((window,)) not in before)
    here = windows_text(result.windows).split("; ")
    return tuple(text.removesuffix(WITHOUT_UNIQUES) for text in before if text not in here), added


def _parse(text: str) -> Any:
    """A constant of the definition: a dictionary (panes, membership, clocks), None, or the text itself."""
    if text == "None" or text.startswith("{"):
        return ast.literal_eval(text)
    return text


def _defaults(value: Any) -> dict[str, Any]:
    """The defaults of a dataclass, which hold where a ledger names no value: a field at its default is not written, nor
    one that the version which wrote the row did not have yet.
    """
    known = fields(value) if hasattr(value, "__dataclass_fields__") else ()
    return {field.name: field.default for field in known if field.default is not MISSING}


def _field_differences(name: str, was: Any, now: Any, defaults: Mapping[str, Any]) -> list[str]:
    """The fields that differ, each as "field: was X, is now Y"."""
    if isinstance(was, dict) and isinstance(now, dict):
        was, now = ({**defaults, **given} for given in (was, now))
        return [
            difference
            for key in {**was, **now}
            for difference in _field_differences(f"{name} {key}", was.get(key), now.get(key), {})
        ]
    if was == now or _seconds(was) == _seconds(now) is not None:
        return []
    return [f"{name}: was {_value_text(was)}, is now {_value_text(now)}"]


def _seconds(value: Any) -> int | None:
    try:
        return durations.seconds(value) if isinstance(value, str) else None
    except Mistake:
        return None


def _value_text(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_value_text(part)}" for name, part in value.items() if part not in ((), None))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "none"
    return "none" if value is None else str(value)


def _transform_differences(
    spark: SparkSession, result: Result, events: StructType, here: fingerprint.Meaning, last: Row
) -> list[str]:
    same_spark = last.spark_version in ("", spark.version)  # another version prints other plans
    is_comparable = bool(last.transform) and same_spark
    if is_comparable and not last.transform.startswith(fingerprint.MARK):
        if fingerprint.fingerprint_of_version_0_2_0(spark, result, events) == last.transform:
            return []
        return [
            "transform: it, or the topic's schema file, is not the one that version 0.2.0 knew, for which every column "
            "counted: run once with both as they were, then change them"
        ]
    was = fingerprint.parse_columns(last.definition.get(COLUMNS, ""))
    narrower = _narrower_columns(was, here)
    if narrower or not is_comparable or here.fingerprint == last.transform:
        return narrower
    if fingerprint.transform_meaning(spark, result, events, was).fingerprint == last.transform:
        return []
    return [f"transform: {_how_it_differs(was, here.columns)}"]


def _how_it_differs(was: StructType, now: StructType) -> str:
    """By the columns of the topic that it used, and that it uses."""
    gone, added = (", ".join(sorted({*left.names} - {*right.names})) for left, right in ((was, now), (now, was)))
    words = [f"it no longer uses {gone}"] if gone else []
    words += [f"it uses {added}, which it did not"] if added else []
    return ", and ".join(words) or "what it does with its columns is not what it was"


def _narrower_columns(was: StructType, here: fingerprint.Meaning) -> list[str]:
    """The used columns that no longer hold every value they could hold, or whose type has an effect and is another."""
    by_type = {path[0] for path in here.by_type}
    differences = []
    for field in was:
        if field.name not in here.columns.fieldNames():
            continue
        before, now = field.dataType, here.columns[field.name].dataType
        fits = wider_types.is_same(now, before) if field.name in by_type else wider_types.holds(now, before)
        if not fits:
            differences.append(
                f"column {field.name}: was {fingerprint.type_text(before)}, is now {fingerprint.type_text(now)}"
            )
    return differences
