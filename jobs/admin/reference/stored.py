"""What is stored: the columns of the tables, the reasons of quarantine, and names that must never change."""

from collections.abc import Iterable, Iterator
from dataclasses import MISSING, fields

from pyspark.sql.types import (
    BooleanType,
    DataType,
    IntegerType,
    StringType,
    StructField,
    StructType,
    TimestampType,
)

from jobs.admin import remedies
from jobs.admin.reference import answer_tables
from jobs.admin.reference.markdown import path, table
from jobs.admin.reference.names import NAMES, REASONS
from jobs.answers.result import Reads, Result
from jobs.answers.windows import CalendarMonth, Windows
from jobs.decisions.clocks import Clocks
from jobs.decisions.membership import Membership
from jobs.events import gate
from jobs.facts.panes import Panes
from jobs.keeping import result_tables
from schemas import archive, clocks, departure, filters, ledger, quarantine, straggler, switch

COLUMN_HEADS = ("column", "type", "meaning")

REASON_HEAD = """Reasons stand in the column `reason`; the first that holds counts, in the order of the checks in {}.
`headrace doctor` says what mends the records that wait.

"""

PERSISTED = """These names are stored in tables, logs and files that later versions read. They never change.

"""


EXAMPLE = """In the next two tables {} stand for the columns that a job file names in the fields
`by`, `averages`, `uniques` and so on of `Panes`. Types that follow those of the columns are those of this example.
"""
RECORD = StructType(
    [
        *(StructField(name, TimestampType()) for name in ("event_time", "record_timestamp", "sent_time")),
        *(StructField(name, StringType()) for name in ("record_key", "device")),
    ]
)
"""Columns of examples of results with a decision."""
ENDINGS = {
    "pane_start": "Start of the pane, UTC.",
    "_count": "Values that are not null; of `counts` those that are true.",
    "_sum": "Their sum. Of decimals whose sums may have more than 38 digits there is also `_sum_beyond`: such a sum as "
    "text, and then `_sum` is null.",
    "_stddev_squares": "Of whole numbers and decimals the sum of their squares as text, in squares of the last place. "
    "Of doubles the sum of their squared distances from the mean, which is `_stddev_pivot` plus `_stddev_distance`.",
    "_histogram": "Logarithmic histogram of the values: see `sketches/log_histogram.py`.",
    "_first": "First value by event time.",
    "_last": "Last value by event time.",
    "_first_time": "Event time of that value.",
    "_last_time": "Event time of that value.",
    "_min": "Their minimum.",
    "_max": "Their maximum.",
    "_sketch": "HyperLogLog sketch (Apache DataSketches) of the values.",
    "records": "Records in this part of the pane.",
    "BY": "Group.",
}
"""What columns of panes mean, by the end of their names: in the tables they have no comments."""


def sections() -> Iterator[tuple[str, str]]:
    """Title and content of each section."""
    yield (
        "Reasons in quarantine",
        REASON_HEAD.format(path(gate)) + table(("reason", "meaning", "mended by"), _reasons()),
    )
    yield "Tables", "\n".join(_tables())
    parts = (_names(title, *names) for title, names in NAMES.items())
    yield "Persisted names", PERSISTED + "\n".join(parts)


def _names(title: str, where: str, names: dict[str, str]) -> str:
    rows = [(f"`{name}`", meaning) for name, meaning in names.items()]
    paragraph = f"{where}\n\n" if where else ""
    return f"### {title}\n\n{paragraph}{table(('name', 'meaning'), rows)}"


def _reasons() -> Iterator[tuple[str, str, str]]:
    words = {"field": "FIELD", "kind": "its type", "wider": "of a wider type"}
    for reason, meaning in REASONS.items():
        yield f"`{reason}`", meaning, remedies.REMEDIES[reason].format(**words)


def _tables() -> Iterator[str]:
    yield (
        "A result with `Panes` has windows. One with answers of events has their rows, and keeps events. Any other has "
        "a row for each record. `Membership` adds the table of filters, `Clocks` that of clocks.\n"
    )
    panes = _example()
    kinds: dict[str, DataType] = {**{name: IntegerType() for name in panes.columns}, panes.by[0]: StringType()}
    kinds |= {name: StringType() for name in panes.uniques} | {name: BooleanType() for name in panes.counts}
    columns = StructType([StructField("event_time", TimestampType()), *_plain(kinds)])
    counted = Result("NAME", Reads(departure, lambda events: events), Windows(panes, CalendarMonth("UTC")))
    tables = {one.name: one.columns for one in result_tables.tables_from(counted, columns)}
    described = ", ".join(f"`{name}` ({kind.simpleString()})" for name, kind in kinds.items())
    yield EXAMPLE.format(described)
    yield _columns("NAME of a result with panes", "Published windows.", tables["NAME"])
    yield _columns("NAME_panes", "Partial panes: one set for each batch.", tables["NAME_panes"])
    sentence = "Days of which weeks, months and years are merged, each like a pane that begins where it does."
    yield _columns("NAME_calendar_days", sentence, tables["NAME_calendar_days"])
    sentence = "One row for each record: the columns that the transform returns, and these."
    yield _columns("NAME of a result without panes", sentence, _columns_added_by(Membership("30 days")))
    yield _columns("NAME of a result with clocks", sentence, _columns_added_by(Clocks("device", "sent_time")))
    yield answer_tables.EXAMPLE
    for title, sentence, of_answer in answer_tables.answer_tables():
        yield _columns(title, sentence, of_answer)
    yield _columns("NAME_filters", "Bloom filters, by bucket of time and partition.", filters.COLUMNS)
    yield _columns("NAME_clocks", "The last offsets of each device's clock in each partition.", clocks.COLUMNS)
    yield _columns("NAME_stragglers", "Late records, a row each, whatever became of them.", straggler.COLUMNS)
    yield _columns("NAME_quarantine", "Records that could not be read, or were late, whole.", quarantine.COLUMNS)
    yield _columns("NAME_ledger", "One row for each batch that is closed.", ledger.COLUMNS)
    yield _columns("_pointers", "One row for each switch of a name that readers use.", switch.COLUMNS)
    yield _columns("The archive", "The records of every topic.", archive.COLUMNS)


def _columns_added_by(decide: Membership | Clocks) -> list[StructField]:
    """What the table of a result with this decision has beside the columns of the transform."""
    result = Result("NAME", Reads(departure, lambda events: events, decide=decide))
    [rows] = [one.columns for one in result_tables.tables_from(result, RECORD) if one.name == "NAME"]
    return [field for field in rows if field.name not in RECORD.names]


def _example() -> Panes:
    """Panes with a column in each field that takes columns, named as the field is."""
    arguments = {f.name: (f.name.upper(),) for f in fields(Panes) if f.default is not MISSING and f.default == ()}
    return Panes(**{"every": "5 minutes", **arguments, "percentiles": {"PERCENTILES": (0.5, 0.95)}})  # type: ignore[arg-type]


def _plain(kinds: dict[str, DataType]) -> list[StructField]:
    return [StructField(name, kind) for name, kind in kinds.items()]


def _describe(field: StructField) -> str:
    meanings = (meaning for end, meaning in ENDINGS.items() if field.name.endswith(end))
    return str(field.metadata.get("comment") or next(meanings, ""))


def _columns(title: str, sentence: str, columns: Iterable[StructField]) -> str:
    rows = [(f"`{field.name}`", field.dataType.simpleString(), _describe(field)) for field in columns]
    return f"### {title}\n\n{sentence}\n\n{table(COLUMN_HEADS, rows)}"
