"""Each event with the version of a row that was valid at its time.

A version that comes late, or that corrects an earlier one, restates the rows of the events since it is valid. An event
that no version is valid for waits: its row has null in their place, and is filled once one comes.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import BooleanType, StructField, StructType, TimestampType

from jobs.answers.changes import as_of
from jobs.answers.changes.as_of_answer import AsOfAnswer
from jobs.answers.versions import VALID_FROM, Versions
from jobs.facts.kept_events import LATE, PLACE
from jobs.running import durations
from jobs.running.errors import Mistake

FOUND = {"version_valid_from": VALID_FROM, "version_time": "change_time", "version_lsn": "change_lsn"}
"""Columns that name the version, and those of the version that they have."""
_TIME = pa.timestamp("us", "UTC")
_NOT_OF_EVENTS = (LATE, "key_hash", "sequence", "record_timestamp", "record_key")


@dataclass(frozen=True)
class Enriched(AsOfAnswer):
    """A row for each event of a topic, with columns of the version that was valid at its event time."""

    each: str
    """The topic of the events, by its name."""
    versions: Versions
    """An answer of the same result."""
    on: tuple[str, ...]
    """Columns of the event that have the key of the versions, in its order."""
    take: tuple[str, ...]
    """Columns of the version that the row has; no column of the event has such a name."""
    restate: str = "30 days"
    """So long events are kept beyond `Late.allowed`, for versions to come: one that is valid from an earlier time
    restates the events that are kept."""
    name: str = ""
    """Follows the result's name in the name of the table; empty: the table has the result's own name."""

    def __post_init__(self) -> None:
        durations.seconds(self.restate)
        for field in ("on", "take"):
            if not isinstance(getattr(self, field), tuple):
                raise Mistake(f'Enriched: {field} takes the names of columns in a tuple: {field}=("currency",)')
        if len(self.on) != len(self.versions.key):
            raise Mistake(
                f"Enriched: on has {len(self.on)} columns, and the key of the versions has {len(self.versions.key)}: "
                f"name the columns of {self.each} that have {', '.join(self.versions.key)}"
            )

    @property
    def by(self) -> tuple[str, ...]:
        """The columns that have the key of the versions."""
        return self.on

    def check(self, events: StructType, versions: StructType) -> None:
        """Raises Mistake unless events and versions have the columns that it names."""
        for name, key in zip(self.on, self.versions.key, strict=True):
            kinds = events[name].dataType.simpleString(), versions[key].dataType.simpleString()
            if kinds[0] != kinds[1]:
                raise Mistake(
                    f"Enriched: on has {name}, which is {kinds[0]}, and {key} of the versions is {kinds[1]}. Give it "
                    f'the same type in the transform: F.col("{name}").cast("{kinds[1]}")'
                )
        for name in self.take:
            if name not in versions.names:
                raise Mistake(f"Enriched: take has {name}, which the versions have not: {', '.join(versions.names)}")

    def columns(self, events: StructType, versions: StructType) -> StructType:
        """The columns of its rows: those of the event, those taken, and which version it was."""
        fields = [events[name] for name in self._event_columns(events.names)]
        fields += [StructField(name, versions[name].dataType, True, versions[name].metadata) for name in self.take]
        fields += [StructField(name, versions[source].dataType) for name, source in FOUND.items()]
        return StructType([*fields, StructField("due_time", TimestampType()), StructField("final", BooleanType())])

    def _event_columns(self, names: list[str]) -> list[str]:
        others = [name for name in names if name not in (*PLACE, *_NOT_OF_EVENTS)]
        return [*PLACE, *others]

    def rows(self, events: pa.Table, versions: pa.Table, complete_micros: int) -> pa.Table:
        """A row for each of these events, in the same order. It is final once every further record that is not late has
        a time after the event: a version that is valid from an earlier time than its own change may still restate it.
        """
        places = as_of.places(events, self.on, versions, self.versions.key)
        found = versions.take(pa.array(places, mask=places < 0))
        rows = events.select(self._event_columns(events.column_names))
        for name, source in ({name: name for name in self.take} | FOUND).items():
            rows = rows.append_column(name, found[source])
        due = events["event_time"].cast(pa.int64()).to_numpy() + 1
        rows = rows.append_column("due_time", pa.array(due).cast(_TIME))
        return rows.append_column("final", pa.array(np.asarray(due <= complete_micros)))

    def notes(self, written: pa.Table) -> tuple[str, ...]:
        """How many events wait for a version."""
        waiting = pc.sum(pc.is_null(written["version_lsn"])).as_py() or 0
        return (f"{waiting:,} events have no version yet: their rows wait for one",) if waiting else ()
