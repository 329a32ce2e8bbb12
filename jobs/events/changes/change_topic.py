"""A topic of changes as the engine reads it: the columns of the table's rows, and what a form says of each change."""

from types import SimpleNamespace
from typing import Any

from pyspark.sql.types import StructField, StructType

from jobs.events import topic_schema
from jobs.events.changes.change_form import COLUMNS, TRANSACTION, ChangeForm
from jobs.running.errors import Mistake

EVENT_TIME = "change_time"


def row_columns(topic: Any) -> StructType:
    """The columns that the schema file of a topic declares."""
    columns: StructType = getattr(topic, "ROW_COLUMNS", topic.COLUMNS)
    return columns


def change_topic(schema: Any, form: ChangeForm) -> Any:
    """A TopicSchema of what the form makes of the records, with the form as FORM, and ROW_COLUMNS for those that the
    schema file declares. Their time is when the database made the change.

    Columns that are not nullable are those of the table's key. Raises Mistake if the schema file declares a column that
    is the form's, an event time of its own, or an encoding in which no form is read.
    """
    columns: Any = getattr(schema, "COLUMNS", None)
    if not isinstance(columns, StructType):
        raise Mistake(f"{topic_schema.file_name(schema)} does not say COLUMNS: say COLUMNS = StructType([...])")
    of_form = [*COLUMNS, TRANSACTION] if form.transaction_topic else list(COLUMNS)
    taken = sorted({name.lower() for name in columns.names} & {field.name for field in of_form})
    if taken:
        raise Mistake(
            f"{topic_schema.file_name(schema)}: column {taken[0]} cannot have this name, which says what was changed. "
            "Leave the column out, or have the capture tool rename it"
        )
    if getattr(schema, "EVENT_TIME", EVENT_TIME) != EVENT_TIME:
        raise Mistake(
            f"{topic_schema.file_name(schema)}: EVENT_TIME of changes is {EVENT_TIME}, when the database made them. "
            "Leave EVENT_TIME out"
        )
    _check_encoding(schema)
    # A deleted row has the columns of its key alone, and a message no row at all.
    nullable = [StructField(field.name, field.dataType, True, field.metadata) for field in columns]
    constants = {name: getattr(schema, name) for name in dir(schema) if name.isupper()}
    constants |= {
        "KEY": None,
        "EVENT_TIME": EVENT_TIME,
        "COLUMNS": StructType([*nullable, *of_form]),
        "ROW_COLUMNS": columns,
        "FORM": form,
    }
    return SimpleNamespace(__name__=getattr(schema, "__name__", ""), **constants)


def _check_encoding(schema: Any) -> None:
    for name in ("ENCODING", "KEY_ENCODING"):
        if getattr(schema, name, None) == "protobuf":
            raise Mistake(
                f"{topic_schema.location(schema, name)}: form=... reads changes that are written in JSON or Avro, and "
                f"{name} says Protobuf: let the capture tool write one of these, or leave form out"
            )
    if getattr(schema, "KEY_COLUMNS", None):
        raise Mistake(
            f"{topic_schema.location(schema, 'KEY_COLUMNS')}: form=... reads the keys of changes itself: leave "
            "KEY_COLUMNS out"
        )
