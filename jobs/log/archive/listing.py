"""The topics of the archive."""

import pyarrow as pa
import pyarrow.compute as pc

from jobs.log.archive import marks, snapshot
from jobs.log.archive.snapshot import Snapshot
from jobs.log.topic_summary import TopicSummary, earliest, latest


def names(path: str) -> list[str]:
    """The topics with records in the archive, in order; none if there is no archive."""
    from deltalake import DeltaTable
    from deltalake.exceptions import TableNotFoundError

    try:
        actions = pa.table(DeltaTable(path).get_add_actions(flatten=True))
    except TableNotFoundError:
        return []
    return sorted(pc.unique(actions["partition.topic"]).to_pylist()) if len(actions) else []


def summaries(path: str) -> list[TopicSummary]:
    """What the archive holds of each topic, by name. Raises ArchiveError."""
    return [_summary(path, name) for name in names(path)]


def _summary(path: str, name: str) -> TopicSummary:
    log, extents = Snapshot(path, name).refresh(), snapshot.extents(path, name)
    return TopicSummary(
        name,
        "archive",
        dict(log.ends),
        sum(extent.records for extent in extents),
        earliest(extent.first_time for extent in extents),
        latest(extent.last_time for extent in extents),
        is_compacted=any(log.mark(marks.compacted_end(name, partition)) for partition in log.ends),
    )
