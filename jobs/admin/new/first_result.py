"""What a first result of a topic could be: which fields it groups by, averages and counts. All of it is a guess."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pyspark.sql.types import BooleanType, DecimalType, DoubleType, LongType, StringType

from jobs.admin.new import number_texts
from jobs.admin.new.event_time_guess import EventTimeGuess
from jobs.admin.new.record_fields import Field
from jobs.admin.new.record_sample import RecordSample
from jobs.answers.contract import OWN
from jobs.answers.windows import EARLIER_KIND, KEYS
from jobs.running.errors import Refused

COUNT = "records"
"""The column that counts the records."""
MOST_GROUPS = 20
"""A text with more different values in the sample is nothing to group by."""
MOST_COLUMNS = 6
"""Of each kind of statistic, for a first look."""
_ID = re.compile(r"((?i:(^|[\W_])(id|uuid|guid|key|no|nr|number|code)$)|[a-z](Id|ID|Key)$)")
_TAKEN = {*OWN, *KEYS, EARLIER_KIND, COUNT, "event_time", "pane_start", "lg_k"}


@dataclass(frozen=True)
class Column:
    """A column of the transform."""

    name: str
    field: Field


@dataclass(frozen=True)
class FirstResult:
    """The columns of a first result, by what is made of them."""

    key: Field | None
    """What records are keyed by."""
    by: tuple[Column, ...]
    averages: tuple[Column, ...]
    uniques: tuple[Column, ...]
    counts: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        """All of them, in the order of the transform."""
        return (*self.by, *self.averages, *self.counts, *self.uniques)


def propose(
    sample: RecordSample, fields: Sequence[Field], time: EventTimeGuess, key: str | None, notes: list[str]
) -> FirstResult:
    """A first result. `key`: the field that is the record key, if a person has named it. Raises Refused if there is no
    such field.
    """
    plain = [each for field in fields for each in field.plain if each != time.field]
    groups = sorted(filter(_is_group, plain), key=lambda field: (_is_id(field), len(set(field.values))))
    group = groups[0] if groups else None
    chosen = _key(sample, plain, group, key, notes)
    names = _Names()
    numbers = [field for field in plain if _is_number(field) and not _is_id(field) and field != chosen]
    ids = [field for field in plain if (field == chosen or _is_id(field)) and _is_countable(field) and field != group]
    flags = [field for field in plain if isinstance(field.kind, BooleanType)]
    return FirstResult(
        chosen,
        names.columns([group] if group else []),
        names.columns(numbers),
        names.columns(ids),
        names.columns(flags),
    )


def _key(
    sample: RecordSample, fields: Sequence[Field], group: Field | None, named: str | None, notes: list[str]
) -> Field | None:
    """The field that is the record key: of the records in the log the one that is; else one whose values come again."""
    if named is not None:
        found = next((field for field in fields if field.path == (named,)), None)
        if found is None:
            raise Refused(f"--key {named}: the records have no such field, or it is their time.")
        return found
    top = [field for field in fields if len(field.path) == 1 and not field.nullable and _is_countable(field)]
    if sample.keys:
        equal = (field for field in top if _equals_keys(sample, field))
        found = next(equal, None)
        notes.append(
            f"key: {found.name}, as the keys of records show" if found else "key: none, as no field is equal to it"
        )
        return found
    repeated = [field for field in top if 1 < len(set(field.values)) < len(field.values)]
    by_name = [field for field in repeated if _is_id(field)]
    texts = [field for field in repeated if isinstance(field.kind, StringType) and field != group]
    texts = [field for field in texts if number_texts.note(field.values) is None]
    found = next(iter(by_name or sorted(texts, key=lambda field: -len(set(field.values)))), None)
    if found:
        notes.append(f"key: {found.name}, as its values come again: records of one are kept in order; else --key FIELD")
    else:
        notes.append("key: none, as no field of texts or whole numbers has values that come again; else --key FIELD")
    return found


def _equals_keys(sample: RecordSample, field: Field) -> bool:
    values = [row.get(field.name) for row in sample.rows]
    return all(key == str(value).encode() for key, value in zip(sample.keys, values, strict=True))


def _is_group(field: Field) -> bool:
    different = len(set(field.values)) if isinstance(field.kind, StringType) else 0
    return 1 < different <= MOST_GROUPS and 2 * different <= len(field.values)


def _is_number(field: Field) -> bool:
    return isinstance(field.kind, (LongType, DoubleType, DecimalType))


def _is_countable(field: Field) -> bool:
    """Whether distinct values of this type can be counted."""
    return isinstance(field.kind, (LongType, StringType)) and bool(field.values)


def _is_id(field: Field) -> bool:
    return _ID.search(field.path[-1]) is not None and not isinstance(field.kind, DoubleType)


class _Names:
    """Names of columns, each of them once, that no table has already."""

    def __init__(self) -> None:
        self._taken = {name.lower() for name in _TAKEN}

    def columns(self, fields: Iterable[Field]) -> tuple[Column, ...]:
        return tuple(Column(self._name(field), field) for field in list(fields)[:MOST_COLUMNS])

    def _name(self, field: Field) -> str:
        name = re.sub(r"\W", "_", "_".join(field.path), flags=re.ASCII).strip("_") or "column"
        while name.lower() in self._taken:
            name += "_value"
        self._taken.add(name.lower())
        return name
