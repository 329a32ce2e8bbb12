"""What our commits to a table say of themselves, and so whether a step was written already, or by somebody else.

Each commit says in its userMetadata which step of which ledger row it is. Delta's transaction ids, which Spark writes
with its options txnAppId and txnVersion, are not used in these tables: two writes under one id, or ids left in the
session, make later rows vanish without an error, and to look one up Spark rebuilds the state of the table, which is
most of the cost of a small append. The ledger and the archive, which Spark never writes, do have transaction ids: of
two commits that are made at once with the same id the second one fails.
"""

import json
from dataclasses import dataclass
from typing import Any

from deltalake import DeltaTable

from jobs.running.errors import Refused


class WrittenTwice(Refused):
    """Another run writes to the table. The ledger row is not written, and the next run takes the writes back."""


@dataclass(frozen=True)
class Commit:
    """What a commit says of itself, and what makes it happen once."""

    job: str
    generation: str
    sequence: int
    """The ledger row that will close the batch: greater in every batch, the same when a batch is tried again."""
    step: str
    start_offsets: dict[int, int]
    end_offsets: dict[int, int]
    reading: str = ""
    """Under which schema file the records were judged; see meaning.reading."""

    def is_said_by(self, metadata: dict[str, object]) -> bool:
        """Whether a commit that says this of itself is this one."""
        return (metadata.get("generation"), metadata.get("sequence"), metadata.get("step")) == (
            self.generation,
            self.sequence,
            self.step,
        )

    def metadata(self) -> str:
        """The commit's userMetadata: which records it covers."""
        said = {
            "job": self.job,
            "generation": self.generation,
            "sequence": self.sequence,
            "step": self.step,
            "start_offsets": self.start_offsets,
            "end_offsets": self.end_offsets,
        }
        said |= {"reading": self.reading} if self.reading else {}
        return json.dumps(said, separators=(",", ":"))


def after(path: str, version: int) -> list[dict[str, object]]:
    """What the commits after `version` say of themselves (Commit.metadata), oldest first; {} for foreign ones."""
    return _after(DeltaTable(path), version)


def _after(table: DeltaTable, version: int) -> list[dict[str, object]]:
    newer = table.version() - version
    return _said(table, newer)[::-1] if newer > 0 else []


def _said(table: DeltaTable, newest: int | None) -> list[dict[str, Any]]:
    """What the newest commits (None: all) say of themselves, newest first; {} for foreign ones."""
    return [json.loads(entry.get("userMetadata") or "{}") for entry in table.history(newest)]


def foreign(path: str) -> list[tuple[int, str]]:
    """(version, operation) of the commits that changed rows and are not ours, oldest first."""
    found = []
    for entry in DeltaTable(path).history():
        said = json.loads(entry.get("userMetadata") or "{}")
        if entry.get("operation") in _CHANGES and not {"sequence", "step"} & said.keys():
            found.append((int(entry["version"]), str(entry["operation"])))
    return found[::-1]


_CHANGES = ("WRITE", "MERGE", "DELETE", "UPDATE", "STREAMING UPDATE", "TRUNCATE", "COPY INTO")


def is_written(path: str, commit: Commit) -> bool:
    """Whether the table holds this step; looks back to the last commit of an earlier ledger row."""
    table = DeltaTable(path)
    for limit in (10, None):
        said = _said(table, limit)
        if any(commit.is_said_by(metadata) for metadata in said):
            return True
        if any(metadata.get("sequence", commit.sequence) < commit.sequence for metadata in said):
            return False
    return False


def check_only_writer(path: str, id_: str, version: int, closing: Commit) -> int:
    """The version of the table now. Raises WrittenTwice unless our commits after `version` are steps of the ledger row
    `closing`, each once; Refused if it is not the table of this Delta id.
    """
    table = DeltaTable(path)
    if str(table.metadata().id) != id_:
        raise Refused(f"the table {path} was replaced while it was written. Run again: the next run says what to do.")
    found = [commit for commit in _after(table, version) if "sequence" in commit]
    steps = [commit["step"] for commit in found]
    for commit in found:
        strange = (commit["generation"], commit["sequence"]) != (closing.generation, closing.sequence)
        if strange or steps.count(commit["step"]) > 1:
            raise WrittenTwice(
                f"{path} has {commit['step']} of ledger row {commit['sequence']}, which this run did not write: "
                f"another run of {closing.job} is writing too. Stop it and run again: what is not in the ledger is "
                "taken back."
            )
    return table.version()
