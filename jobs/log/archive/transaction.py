"""The commits of the archive: files and marks become part of the table together, or not at all.

Each commit sets marks (jobs.log.archive.marks), so that of two commits to one topic at the same time the later one
conflicts, and is tried again on top of the other.
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from deltalake import CommitProperties, DeltaTable, PostCommitHookProperties, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction

from jobs.log.archive.data_file import DataFile
from jobs.log.archive.file_writer import NewFile
from jobs.log.archive.snapshot import Snapshot
from jobs.running.errors import Refused
from schemas.archive import COLUMNS, PARTITIONED_BY

CHECKPOINT_COMMITS = 10
"""A Delta checkpoint is made after this many commits, as Spark's Delta does."""
ATTEMPTS = 50
"""How often a commit is tried again after another producer was faster."""
WAIT_SECONDS = 0.02
"""The wait before the second attempt; each later one waits this much longer."""


def retry_on_conflict(
    path: str, topic: str, new_files: Callable[[], Iterable[NewFile]], write: Callable[[Snapshot], None]
) -> None:
    """Make one commit with `write`, which gets the topic as it is now, and try again after a conflict. Creates the
    table if there is none.

    `new_files` gives the files of the last attempt: if the table has them, that commit came through although it seemed
    to fail. Raises Refused after ATTEMPTS conflicts, and whatever `write` raises.
    """
    with producer_lock(path):
        for attempt in range(ATTEMPTS):
            log = Snapshot(path, topic).refresh()
            if log.table is None:
                _create_table(path)
                log.refresh()
            tried = {file.path for file in new_files()} if attempt else set()
            if tried and tried <= {file.path for file in log.files}:
                break
            try:
                write(log)
                break
            except CommitFailedError:
                time.sleep(WAIT_SECONDS * attempt)
        else:
            raise Refused(
                f"topic {topic}: other producers were faster {ATTEMPTS} times; nothing was written, try again."
            )
        _checkpoint_if_due(log.table)


def commit_files(
    table: DeltaTable,
    topic: str,
    new_files: Iterable[NewFile],
    marks: Mapping[str, int],
    metadata: Mapping[str, object],
    removed: Iterable[DataFile] = (),
    delta_retries: int | None = None,
) -> None:
    """One Delta commit: files that come, files that go, and marks; `metadata` goes into its userMetadata.

    Delta itself tries again `delta_retries` times (None: its default) after commits that do not conflict. Raises
    CommitFailedError if one of the marks was set since `table` was read.
    """
    now = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [
        AddAction(file.path, file.bytes, _folders(topic, file.partition), now, True, file.statistics())
        for file in new_files
    ]
    actions += [
        RemoveAction(file.path, True, now, size=file.bytes, partition_values=_folders(topic, file.partition))
        for file in removed
    ]
    table.create_write_transaction(
        actions,
        "append",
        table.schema(),
        list(PARTITIONED_BY),
        commit_properties=CommitProperties(
            custom_metadata={"userMetadata": json.dumps({"topic": topic, **metadata})},
            app_transactions=[Transaction(name, number) for name, number in marks.items()],
            max_commit_retries=delta_retries,
        ),
        # Made after it instead: a checkpoint that fails must not look like a commit that failed.
        post_commithook_properties=PostCommitHookProperties(create_checkpoint=False, cleanup_expired_logs=False),
    )


def _folders(topic: str, partition: int) -> dict[str, str | None]:
    return {"topic": topic, "partition": str(partition)}


def _create_table(path: str) -> None:
    """Make the table if it is not there. Raises DeltaError, OSError."""
    schema = Schema.from_json(COLUMNS.json())
    with contextlib.suppress(CommitFailedError):  # another producer has just created it
        DeltaTable.create(path, schema, mode="ignore", partition_by=list(PARTITIONED_BY))


def _checkpoint_if_due(table: DeltaTable) -> None:
    with contextlib.suppress(DeltaError, OSError):
        table.update_incremental()
        if table.version() % CHECKPOINT_COMMITS == 0:
            table.create_checkpoint()


@contextlib.contextmanager
def producer_lock(path: str) -> Iterator[None]:
    """Producers on one machine commit one after the other; elsewhere the conflict of their marks decides."""
    if "://" in path:
        yield
        return
    Path(path).mkdir(parents=True, exist_ok=True)
    with (Path(path) / "_producers.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
