"""Records of a topic of changes, and what a form makes of them."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from pyspark.sql.types import StructType

from jobs.events.changes.change_form import ChangeForm

MOMENT = datetime(2024, 2, 29, 13, 14, 15, 123456, tzinfo=UTC)
TIME = "2024-02-29T13:14:15.123456Z"
"""When the records were written."""


def plain(form: ChangeForm, columns: StructType, pairs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """The objects that are made of records with these keys and values, from offset 7 on; None for what is no change."""
    contents = [[part if isinstance(part, bytes | None) else json.dumps(part).encode() for part in p] for p in pairs]
    keys, values = zip(*contents, strict=True)
    batch = pa.record_batch(
        {
            "key": pa.array(keys, pa.binary()),
            "value": pa.array(values, pa.binary()),
            "offset": pa.array(range(7, 7 + len(pairs)), pa.int64()),
            "timestamp": pa.array([MOMENT] * len(pairs), pa.timestamp("us", "UTC")),
        }
    )
    return [None if made is None else json.loads(made) for made in form.plain_values(batch, columns).to_pylist()]
