"""The JSON object of each record, be it a change of a row, or encoded by a schema registry, or both."""

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.types import StructType

from jobs.events.changes.change_form import ChangeForm
from jobs.events.encodings.topic_encoding import TopicEncoding


def plain_values(
    records: pa.RecordBatch, form: ChangeForm | None, columns: StructType, encoded: TopicEncoding | None
) -> tuple[pa.Array, pa.Array | None]:
    """For each record one JSON object in UTF-8, null if there is none; and for encoded ones why they could not be
    decoded, as topic_encoding.FAULT. `columns`: those that a form is asked for. Raises Refused if the registry cannot
    be asked.
    """
    if encoded is None:
        return (form.plain_values(records, columns) if form else records["value"]), None
    if form is None:
        return encoded.json_values(records["key"], records["value"])
    keys, values, faults = encoded.json_records(records["key"], records["value"], form.reads_schema)
    for name, column in (("key", keys), ("value", values)):
        records = records.set_column(records.schema.get_field_index(name), name, column)
    plain = form.plain_values(records, columns)
    return pc.if_else(pc.is_valid(faults), None, plain), faults  # to a form a value that is not there is a tombstone
