"""Records of a topic of changes as a sample has them: keys and rows, and the types that stand beside them."""

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jobs.log import home
from jobs.running.errors import Refused
from jobs.running.places import Places

FROM_LOG = 1000
"""Records that are read of each partition, its first ones."""
_MOST_ROWS = 10
"""Rows that are kept."""
_FLAT = ("__op", "__deleted", "__source_sequence", "__source_ts_ms")
"""What the form FLATTENED needs in each record."""

_UNAVAILABLE = "__debezium_unavailable_value"
_NOTHING = (None, _UNAVAILABLE, [_UNAVAILABLE], base64.b64encode(_UNAVAILABLE.encode()).decode())
"""Values that tell nothing about their column."""


@dataclass
class Sample:
    """What the records of a topic have shown."""

    records: int = 0
    is_flat: bool = False
    """Whether they are rows alone, as ExtractNewRecordState leaves them."""
    keys: set[tuple[str, ...]] = field(default_factory=set)
    """Columns of the keys of records; none if the sample has no keys."""
    fields: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    """By column, what Debezium says beside the payload; of the last record that says it."""
    values: dict[str, list[Any]] = field(default_factory=dict)
    """By column, its values that are not null."""
    deleted: list[Mapping[str, Any]] = field(default_factory=list)
    """Rows before their deletion."""
    rows: list[Mapping[str, Any]] = field(default_factory=list)
    """Some rows after a change."""

    def add(self, key: Any, value: Any) -> None:
        """Take in a record; its JSON is read, None stands for a tombstone. Raises Refused if it is none of
        Debezium's.
        """
        _, key_payload = _unwrap(key)
        if isinstance(key_payload, dict):
            self.keys.add(tuple(key_payload))
        schema, payload = _unwrap(value)
        if payload is None:
            return
        if not isinstance(payload, dict) or not ("op" in payload or _FLAT[0] in payload or _FLAT[1] in payload):
            raise Refused(
                "the sample has a record that is no change as Debezium writes it: it has neither op, before and after, "
                "nor __op and __deleted."
            )
        self.is_flat = "op" not in payload or "source" not in payload
        self.records += 1
        if not self.is_flat and not (isinstance(payload["source"], dict) and payload["source"].get("sequence")):
            raise Refused(
                "the sample has a change without source.sequence, which says in which order changes are: Debezium's "
                "connector for PostgreSQL writes it. docs/changes.md has other forms."
            )
        if self.is_flat:
            missing = [name for name in _FLAT if name not in payload]
            if missing:
                raise Refused(
                    f"the records are flat and lack {missing[0]}: give the transform ExtractNewRecordState "
                    "delete.tombstone.handling.mode=rewrite and "
                    "add.fields=op,source.sequence,source.ts_ms,source.snapshot."
                )
        self._add_rows(schema, payload)

    def _add_rows(self, schema: Mapping[str, Any] | None, payload: Mapping[str, Any]) -> None:
        parts = [payload] if self.is_flat else [payload.get("before"), payload.get("after")]
        if not self.is_flat and payload["op"] == "d" and payload.get("before"):
            self.deleted.append(payload["before"])
        after = payload if self.is_flat else payload.get("after")
        if after and len(self.rows) < _MOST_ROWS:
            self.rows.append(after)
        for row in filter(None, parts):
            for name, value in row.items():
                if not (self.is_flat and name.startswith("__")):
                    self.values.setdefault(name, [])
                    self.values[name] += [] if value in _NOTHING else [value]
        for part in [schema] if self.is_flat else (schema or {}).get("fields", []):
            if part and (self.is_flat or part.get("field") in ("before", "after")):
                named = {one["field"]: one for one in part.get("fields", [])}
                self.fields |= {name: one for name, one in named.items() if name in self.values}


def _unwrap(value: Any) -> tuple[Mapping[str, Any] | None, Any]:
    """The schema and the payload; no schema if the value is the payload."""
    if isinstance(value, dict) and value.keys() == {"schema", "payload"}:
        return value["schema"], value["payload"]
    return None, value


def of_file(path: Path) -> Sample:
    """The sample in a file: a record's value in each line, or its key, a tab, and its value, as Kafka's own console
    consumer writes them. Raises Refused if a line is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Refused(f"cannot read the sample {path}: {why}.") from None
    return _sample(_of_lines(path, lines), str(path))


def _of_lines(path: Path, lines: Iterable[str]) -> Iterator[tuple[Any, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            key, tab, value = line.partition("\t")
            try:
                yield (json.loads(key), _json(value)) if tab else (None, _json(line))
            except ValueError:
                raise Refused(
                    f"{path}, line {number}: it is no JSON. A sample has the value of a record in each line, or its "
                    "key, a tab, and its value, as Kafka's console consumer prints them with print.key=true."
                ) from None


def _json(text: str) -> Any:
    return None if text.strip() in ("null", "") else json.loads(text)


def of_log(places: Places, topic: str) -> Sample:
    """The first records of each partition of the topic. Raises Refused if there is no such one, or one is no JSON."""
    return _sample(_of_log(places, topic), f"topic {topic}")


def _of_log(places: Places, topic: str) -> Iterator[tuple[Any, Any]]:
    for extent in home.extents(places, topic):
        if extent.first_offset is None:
            continue
        records = home.records(places, topic, extent.partition, extent.first_offset, FROM_LOG)
        columns = (records[name].to_pylist() for name in ("key", "value", "offset"))
        for key, value, offset in zip(*columns, strict=True):
            try:
                yield key and json.loads(key), value and json.loads(value)
            except ValueError:
                raise Refused(
                    f"topic {topic} partition {extent.partition} offset {offset}: the record is no JSON."
                ) from None


def _sample(records: Iterable[tuple[Any, Any]], where: str) -> Sample:
    found = Sample()
    for key, value in records:
        found.add(key, value)
    if not found.values:
        raise Refused(f"{where} has no row: take a sample with some insertions or updates.")
    return found
