"""What mends the records that wait in quarantine, by the reason why they do: those of jobs/transforms/gate.py."""

from collections.abc import Iterable, Mapping

PRODUCER = "only its producer can mend it: records that it sends right from now on are read"
"""For what no schema file can say."""
OPTIONAL = "make {field} nullable in the schema file of topic {topic}, if it may be missing"
WIDER = (
    "if the values of {field} are right and only too large for its type, give it a wider one of the same kind in the "
    "schema file of topic {topic} (int to bigint, float to double, a decimal of more digits before the point); if they "
    "are of another kind, " + PRODUCER + ", or a new version of the result can have another type"
)
KEYLESS = "set KEY = None in the schema file of topic {topic}, if records may have no key"
AHEAD = (
    "if {field} may be further after the record's own timestamp, or if that is not to be trusted, set MAX_AHEAD in the "
    "schema file of topic {topic}: a longer time, or None"
)
TIME = "the event time {field} is needed in each record and of one type: " + PRODUCER

REMEDIES = {
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
}
"""By reason. After those that change the schema file, `headrace requeue` reads the records again."""


def of(name: str, definition: Mapping[str, str], waiting: Iterable[tuple[str, str | None]]) -> str:
    """What to do about records of result `name` that wait for these reasons and fields, in the order of the reasons."""
    topic, event_time = definition.get("topic", ""), definition.get("event_time", "").split(" (")[0]
    said: dict[str, list[str]] = {}
    for reason, field in waiting:
        remedy = REMEDIES.get(reason, PRODUCER)
        if field is not None and field == event_time and remedy in (OPTIONAL, WIDER):
            remedy = TIME
        said.setdefault(remedy.format(field=field, topic=topic), []).append(reason)
    words = [f"{', '.join(dict.fromkeys(reasons))}: {remedy}" for remedy, reasons in said.items()]
    requeue = f"then headrace requeue {name}"
    mended = any(remedy != PRODUCER and not remedy.startswith(TIME.split("{")[0]) for remedy in said)
    return "; ".join([*words, *([requeue] if mended else [])])
