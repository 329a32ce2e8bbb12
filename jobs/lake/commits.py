"""The metadata of our commits: it tells whether a step is written already, or whether another run writes to a table.

Each commit says in its userMetadata which step of which ledger row it is. Delta's transaction ids, which Spark writes
with its options txnAppId and txnVersion, are not used in these tables: two writes under one id, or ids left in the
session, make later rows vanish without an error, and to look one up Spark rebuilds the state of the table, which is
most of the cost of a small append. The ledger and the archive, which Spark never writes, do have transaction ids: of
two commits that are made at once with the same id the second one fails.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from deltalake import DeltaTable

from jobs.running import one_look
from jobs.running.errors import Refused

_CHANGING_OPERATIONS = ("WRITE", "MERGE", "DELETE", "UPDATE", "STREAMING UPDATE", "TRUNCATE", "COPY INTO")
"""Delta's operations that may change rows."""


class WrittenTwice(Refused):
    """Another run writes to the table. The ledger row is not written, and the next run takes the writes back."""


@dataclass(frozen=True)
class Commit:
    """The metadata of a commit, which makes it happen once."""

    job: str
    generation: str
    sequence: int
    """The ledger row that will close the batch: greater in every batch, the same when a batch is tried again."""
    step: str
    start_offsets: dict[int, int]
    end_offsets: dict[int, int]
    further_ends: dict[str, dict[int, int]] = field(default_factory=dict)
    """By name, the end offsets of topics beside the first."""
    reading: str = ""
    """Under which schema file the records were judged; see fingerprint.schema_fingerprint."""

    def matches(self, metadata: dict[str, object]) -> bool:
        """Whether a commit with this metadata is this one."""
        return (metadata.get("generation"), metadata.get("sequence"), metadata.get("step")) == (
            self.generation,
            self.sequence,
            self.step,
        )

    def metadata(self) -> str:
        """The commit's userMetadata, as JSON."""
        metadata: dict[str, object] = {
            "job": self.job,
            "generation": self.generation,
            "sequence": self.sequence,
            "step": self.step,
            "start_offsets": self.start_offsets,
            "end_offsets": self.end_offsets,
        }
        metadata |= {"further_ends": self.further_ends} if self.further_ends else {}
        metadata |= {"reading": self.reading} if self.reading else {}
        return json.dumps(metadata, separators=(",", ":"))


def open_table(path: str) -> DeltaTable:
    """The table as it is now; within a look (jobs/running/one_look.py) as it was when it was opened first. Raises
    TableNotFoundError.
    """
    return one_look.recall(("table", path), lambda: DeltaTable(path))


def metadata_since(path: str, version: int) -> list[dict[str, object]]:
    """The metadata of the commits after `version`, see Commit.metadata, oldest first; {} for foreign ones. Those that
    were taken back are left out.
    """
    return _metadata_since(open_table(path), version)


def _metadata_since(table: DeltaTable, version: int) -> list[dict[str, object]]:
    newer = table.version() - version
    return _metadata(table, newer)[::-1] if newer > 0 else []


def _metadata(table: DeltaTable, newest: int | None) -> list[dict[str, Any]]:
    """The metadata of the `newest` commits (None: of all), newest first; {} for foreign ones. Without those that a
    restore has taken back: they may be made again.
    """
    found, before = [], None
    for entry in table.history(newest):
        if before is not None and int(entry["version"]) > before:
            continue
        if entry.get("operation") == "RESTORE" and "version" in entry.get("operationParameters", {}):
            before = int(entry["operationParameters"]["version"])
        found.append(json.loads(entry.get("userMetadata") or "{}"))
    return found


def foreign_commits(path: str) -> list[tuple[int, str]]:
    """(version, operation) of the commits that changed rows and are not ours, oldest first."""
    foreign = []
    for entry in open_table(path).history():
        metadata = json.loads(entry.get("userMetadata") or "{}")
        if entry.get("operation") in _CHANGING_OPERATIONS and not {"sequence", "step"} & metadata.keys():
            foreign.append((int(entry["version"]), str(entry["operation"])))
    return foreign[::-1]


def is_written(path: str, commit: Commit) -> bool:
    """Whether the table holds this step; looks back to the last commit of an earlier ledger row."""
    table = DeltaTable(path)
    for limit in (10, None):
        newest = _metadata(table, limit)
        if any(commit.matches(metadata) for metadata in newest):
            return True
        if any(metadata.get("sequence", commit.sequence) < commit.sequence for metadata in newest):
            return False
    return False


def check_only_writer(path: str, id_: str, version: int, closing: Commit) -> int:
    """The version of the table now. Raises WrittenTwice unless our commits after `version` are steps of the ledger row
    `closing`, each once; Refused if it is not the table of this Delta id.
    """
    table = DeltaTable(path)
    if str(table.metadata().id) != id_:
        raise Refused(f"the table {path} was replaced while it was written. Run again: the next run says what to do.")
    ours = [commit for commit in _metadata_since(table, version) if "sequence" in commit]
    steps = [commit["step"] for commit in ours]
    for commit in ours:
        is_of_other_row = (commit["generation"], commit["sequence"]) != (closing.generation, closing.sequence)
        if is_of_other_row or steps.count(commit["step"]) > 1:
            raise WrittenTwice(
                f"{path} has {commit['step']} of ledger row {commit['sequence']}, which this run did not write: "
                f"another run of {closing.job} is writing too. Stop it and run again: what is not in the ledger is "
                "taken back."
            )
    return table.version()
