"""Puts the small files of a table together."""

import json
from collections.abc import Mapping

from deltalake import CommitProperties, DeltaTable

FULL_FILE_MEBIBYTES = 16
"""A file of this size is not put together with others again. So a compaction writes what is new and one file more, and
the removal of old rows the few files in which they lie, however large the table is: a publish does not wait for it.
"""


def put_together(table: DeltaTable, user_metadata: Mapping[str, str] | None = None) -> None:
    """Write the files that are not full into larger ones, in a commit with this metadata, by which no recovery takes it
    for a step of a batch.
    """
    custom = {"userMetadata": json.dumps(user_metadata)} if user_metadata else {}
    full_bytes = int(FULL_FILE_MEBIBYTES * 2**20)
    table.optimize.compact(target_size=full_bytes, commit_properties=CommitProperties(custom_metadata=custom))
