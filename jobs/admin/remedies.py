"""What to do about records in quarantine, by the reason why they are there, as jobs/events/gate.py names it."""

import ast
import re
from collections.abc import Iterable, Mapping

PRODUCER = "only what writes the topic can be mended"
"""For faults that no schema file can allow."""
OPTIONAL = "make column {field} nullable in the topic's schema file"
WIDER = "make column {field} {wider} in the topic's schema file, if its values are right and only too large for {kind}"
ANY_WIDER = "give column {field} a wider type of its kind in the topic's schema file, if its values are only too large"
OTHER_KIND = PRODUCER + ", or a new version of the result made, for which column {field} has another type"
KEYLESS = "set KEY = None in the topic's schema file, if its records may have no key"
AHEAD = (
    "set MAX_AHEAD in the topic's schema file: a longer time if {field} may be further after the record's own "
    "timestamp, None if that timestamp is not to be trusted"
)
EVENT_TIME = PRODUCER + ", as each record needs its event time, column {field}"

LATE = "nothing is wrong with it: a requeue takes it in as a correction"
TOO_LATE = "a new version of the result with longer facts_for, filled from the log"
NO_CHANGE = PRODUCER + ", or a new version of the result made, whose form and whose key are those of the topic"
NO_ID = PRODUCER + (
    ", which has to write by the schema registry; or leave ENCODING, for keys KEY_ENCODING, out of the schema file"
)
NO_SCHEMA = "register {field}, or let [schema_registry] of the places file name the registry that has it"
OTHER_SCHEMA = (
    "make ENCODING, KEY_ENCODING and READER_SCHEMA in the topic's schema file fit {field}: a field that READER_SCHEMA "
    "adds needs a default"
)
REMEDIES = {
    "not_a_change": NO_CHANGE,
    "no_schema_id": NO_ID,
    "unknown_schema": NO_SCHEMA,
    "schema_mismatch": OTHER_SCHEMA,
    "not_decodable": PRODUCER + ": what it wrote is not what {field} says",
    "null_value": PRODUCER,
    "null_key": KEYLESS,
    "too_large": PRODUCER,
    "invalid_utf8": PRODUCER,
    "not_json": PRODUCER,
    "trailing_data": PRODUCER,
    "missing_field": OPTIONAL,
    "wrong_type": WIDER,
    "not_finite": PRODUCER,
    "time_before_1970": PRODUCER,
    "time_after_record": AHEAD,
    "time_after_9998": PRODUCER,
    "late": LATE,
    "too_late": TOO_LATE,
}
"""By reason. A change of the schema file that is named here is accepted by the job and by `headrace requeue`, which is
then named too.
"""

_WIDER = {"tinyint": "smallint, int or bigint", "smallint": "int or bigint", "int": "bigint", "float": "double"}


def advice(name: str, definition: Mapping[str, str], waiting: Iterable[tuple[str, str | None]]) -> str:
    """What to do about records of result `name`, defined so in its ledger, that wait for these reasons and fields."""
    reasons: dict[str, list[str]] = {}
    for reason, field in waiting:
        reasons.setdefault(_remedy(reason, field, definition), []).append(reason)
    words = [f"{', '.join(dict.fromkeys(alike))}: {remedy}" for remedy, alike in reasons.items()]
    is_mended = any("schema file" in remedy or "[schema_registry]" in remedy or remedy == LATE for remedy in reasons)
    return "; ".join([*words, *([f"then: headrace requeue {name}"] if is_mended else [])])


def _remedy(reason: str, field: str | None, definition: Mapping[str, str]) -> str:
    remedy = REMEDIES.get(reason, PRODUCER)
    topics = [definition, *_further_topics(definition)]
    if remedy in (OPTIONAL, WIDER) and field in [topic.get("event_time", "").split(" (")[0] for topic in topics]:
        remedy = EVENT_TIME
    if remedy != WIDER or field is None:
        return remedy.format(field=field)
    kind = next(filter(None, (_kind(field, topic.get("columns", "")) for topic in topics)), None)
    if kind is None:
        return ANY_WIDER.format(field=field)
    wider = "a decimal of more digits" if kind.startswith("decimal") else _WIDER.get(kind)
    if wider is None or (kind == "float" and field in _groups(definition)):
        return OTHER_KIND.format(field=field)
    return WIDER.format(field=field, kind=kind, wider=wider)


def _kind(field: str, columns: str) -> str | None:
    """The type of a column that the result uses; None if it is not known."""
    found = re.search(rf"(?:^|, )`?{re.escape(field)}`? ([a-z]+(?:\(\d+,\d+\))?)", columns)
    return found[1] if found else None


def _further_topics(definition: Mapping[str, str]) -> list[Mapping[str, str]]:
    """Of the topics beside the first, how they are read, as a definition has it."""
    return [ast.literal_eval(text) for name, text in definition.items() if name.startswith("topic ")]


def _groups(definition: Mapping[str, str]) -> tuple[str, ...]:
    panes = ast.literal_eval(definition.get("panes", "None")) or {}
    return tuple(panes.get("by", ()))
