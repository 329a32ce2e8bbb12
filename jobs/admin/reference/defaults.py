"""Defaults: the fields of a job file, the words of a schema file, the keys of a places file, and constants."""

from collections.abc import Iterator
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from pydantic import BaseModel

from jobs.admin import findings
from jobs.admin.input import csv_rows, times
from jobs.admin.reference.markdown import attributes, path, render_default, table
from jobs.answers import sliding, windows
from jobs.answers.delivery import File, Topic, Webhook
from jobs.answers.enriched import Enriched
from jobs.answers.latest import Latest
from jobs.answers.outcomes import Before, Outcomes, Then
from jobs.answers.result import Late, Reads, Result
from jobs.answers.sequences import Sequences
from jobs.answers.sessions import Sessions
from jobs.answers.sliding import Sliding
from jobs.answers.stored_queries import StoredQueries
from jobs.answers.top import Top
from jobs.answers.versions import Versions
from jobs.answers.views.view import View
from jobs.answers.windows import days
from jobs.decisions.clocks import Clocks
from jobs.decisions.membership import Membership
from jobs.events import event_time, fast_decoder, gate
from jobs.events.changes.debezium import Debezium
from jobs.events.changes.maxwell import Maxwell
from jobs.facts.panes import Panes
from jobs.keeping import batch_size, deliveries, fast_pass, first_records, housekeeping, locks, topic_reader
from jobs.lake import delta_tables, small_files
from jobs.log import topic
from jobs.log.archive import compaction, file_reader, file_writer, rewrite, transaction
from jobs.log.kafka import groups, home, patience, producer, topic_retention
from jobs.publishing import (
    calendar_days,
    event_plan,
    event_publication,
    in_process_upsert,
    near_panes,
    pane_cache,
    stored_panes,
    to_webhook,
)
from jobs.run import LOCAL_PROFILE
from jobs.running import durations, java
from jobs.running.database_access import DatabasePlace
from jobs.running.delivery_access import DeliveryPlace
from jobs.running.java import profile
from jobs.running.kafka_access import Kafka
from jobs.running.places import Places
from jobs.running.registry_access import SchemaRegistry

MIB = 2**20
Row = tuple[str, str, str]
"""What it is, its value, and the file that sets it."""

WINDOWS = tuple(kind for kind in vars(windows).values() if is_dataclass(kind) and isinstance(kind, type))
"""Each kind of window that a job file can name."""
ANSWERS = (
    Outcomes,
    Then,
    Before,
    Sliding,
    Sequences,
    Sessions,
    Latest,
    Versions,
    Enriched,
    StoredQueries,
    View,
    Debezium,
    Maxwell,
    Top,
)
"""Each answer that a job file can name, beside windows, and its parts."""

SCHEMA_FILE = """All words are in [topics.md](topics.md#what-a-schema-file-may-say). If one is left out:

"""
KEYS = (
    ("Relative paths start at the folder of the file. Unknown keys are refused.\n\n{}", Places),
    ("In the table `[kafka]`:\n\n{}", Kafka),
    ("In the table `[schema_registry]`:\n\n{}", SchemaRegistry),
    ("In a table `[deliveries.NAME]`:\n\n{}", DeliveryPlace),
    ("In a table `[databases.NAME]`:\n\n{}", DatabasePlace),
)
SPARK = "From `conf/spark-local.conf`, where there are more, each with its reason.\n\n"
SETTINGS = {
    "spark.master": "Cores of this machine.",
    "spark.driver.memory": "Memory of Java.",
    "spark.sql.session.timeZone": "Zone of what Spark reads and shows.",
    "spark.sql.ansi.enabled": "A cast that cannot be done stops the job: `try_cast` gives null.",
    "spark.python.authenticate.socketTimeout": "For Python and Java to find each other's socket; Spark's own is 15 s.",
}
"""The settings that people change, or should know."""
TOMBSTONES, VACUUM = "{}, as Kafka's `delete.retention.ms`", "{} hours, as Delta's VACUUM"
FEW = "{}; more are cached by Spark"
ENGINE = "They bound memory, or say what is left to Spark. None of them shows in a number.\n\n"


def sections() -> Iterator[tuple[str, str]]:
    """Title and content of each section."""
    yield (
        "Fields of a job file",
        "\n".join(
            map(_fields, (Result, Reads, Late, Panes, *WINDOWS, *ANSWERS, Membership, Clocks, Topic, Webhook, File))
        ),
    )
    heads = ("default", "value", "where")
    yield "Words of a schema file", SCHEMA_FILE + table(heads, _schema_file())
    yield "Places file", "\n".join(text.format(_keys(kind)) for text, kind in KEYS)
    yield "Settings of Spark", SPARK + table(("setting", "value", "meaning"), _settings())
    yield "Limits of data", table(heads, _data())
    yield "Times and tries", table(heads, _times())
    yield "Limits inside the engine", ENGINE + table(heads, _engine())


def _fields(kind: type) -> str:
    sentences = attributes(kind)
    rows = [
        (
            f"`{field.name}`",
            "must be given" if field.default is MISSING else render_default(field.default),
            sentences[field.name],
        )
        for field in fields(kind)
    ]
    return f"### {kind.__name__}\n\nIn {path(kind)}.\n\n{table(('field', 'default', 'meaning'), rows)}"


def _keys(kind: type[BaseModel]) -> str:
    sentences = attributes(kind)
    rows = [
        (f"`{name}`", "must be given" if field.is_required() else render_default(field.default), sentences[name])
        for name, field in kind.model_fields.items()
    ]
    return table(("key", "default", "meaning"), rows)


def _settings() -> list[Row]:
    settings = profile(Path(__file__).parents[3] / "conf" / LOCAL_PROFILE)
    return [(f"`{name}`", f"`{settings[name]}`", meaning) for name, meaning in SETTINGS.items()]


def _constant(what: str, module: ModuleType, name: str, words: str = "{}", by: int = 1) -> Row:
    """A row for a constant; `words` has a place for its value, which is divided by `by`."""
    value = getattr(module, name)
    return what, words.format(render_default(value // by if by > 1 else value)), f"`{name}` in {path(module)}"


def _limit(what: str, value: str, module: ModuleType) -> Row:
    """A row for a limit that has no constant of its own."""
    return what, value, path(module)


def _schema_file() -> list[Row]:
    first = f"{first_records.RECORDS} of each of {first_records.PARTITIONS} partitions"
    return [
        _constant("zone of times and dates that are written without one (`ZONE`)", event_time, "ZONE"),
        _constant("unit of a bigint event time (`EVENT_TIME_UNIT`)", event_time, "BIGINT_UNIT", "{} since 1970"),
        _constant("event time after the record's own timestamp, at most (`MAX_AHEAD`)", event_time, "MAX_AHEAD"),
        _limit("records of a first run whose event times are checked for the assumed unit", first, first_records),
    ]


def _data() -> list[Row]:
    options: dict[str, Any] = gate._OPTIONS
    return [
        _constant("longest value of a record", gate, "MAX_VALUE_BYTES", "{} bytes; a longer one is quarantined"),
        _limit("nesting of a JSON value, at most", options["maxNestingDepth"], gate),
        _limit("digits of a number, at most", options["maxNumLen"], gate),
        _limit("a field that stands twice in a JSON object", "the last one counts", gate),
        _limit("a field that the schema file does not have", "left out", gate),
        _limit("earliest and latest event time", "1970-01-01 00:00 UTC, the end of 9998", event_time),
        _constant("longest duration: a window, a pane, a lateness", durations, "LONGEST_DAYS", "{} days"),
        _constant("longest cell and line of CSV", csv_rows, "MOST_CHARACTERS", "{} characters"),
        _constant("a timestamp that is a number, without a unit, is seconds if below", times, "MOST_SECONDS"),
        _constant("partitions of a new topic of the archive", topic, "DEFAULT_PARTITIONS"),
        _constant("records of a data file of the archive, at most", file_writer, "FILE_RECORDS"),
    ]


def _times() -> list[Row]:
    days_kept = f"{topic_retention.KAFKAS_OWN_MS // 86_400_000} days"
    retries = home.RETRIES["fetchOffset.numRetries"]
    produced = f"{producer.SETTINGS['message.timeout.ms'] // 1000} seconds, then the command ends"
    hours = "{} hour; their Delta logs stay a day"
    probed = f"{days.PROBE_SECONDS // 86_400} days; none has been changed and changed back in less than 6 since 1968"
    return [
        _constant("version of Java, at least", java, "JAVA_AT_LEAST"),
        _constant("wait for the Java of a killed run to let go of its lock", locks, "WAIT_SECONDS", "{} seconds"),
        _limit("time that a topic of Kafka keeps records, if nobody has changed it", days_kept, topic_retention),
        _constant("time for a broker to answer", patience, "TIMEOUT_SECONDS", "{} seconds"),
        _constant("the same for `status`, `doctor` and `log`", patience, "LOOK_SECONDS", "{} seconds"),
        _constant("time for the receiver of a Webhook to answer", to_webhook, "TIMEOUT_SECONDS", "{} seconds"),
        _constant("time between two tries of a delivery that failed", deliveries, "AGAIN_SECONDS", "{} seconds"),
        _constant("wait for a broker that starts, before offsets are shown", groups, "STARTING_SECONDS", "{} seconds"),
        _constant("time between two tries to show offsets in Kafka", groups, "AGAIN_SECONDS", "{} seconds"),
        _limit("tries to learn Kafka's offsets", f"{retries}, a second apart", home),
        _limit("records of transactions that are not committed", "not read (`read_committed`)", home),
        _limit("time for Kafka to take a produced record", produced, producer),
        _constant("tries of a commit to the archive while other producers are faster", transaction, "ATTEMPTS"),
        _constant(
            "time that a tombstone stays after compaction first met it", compaction, "TOMBSTONES_FOR", TOMBSTONES
        ),
        _constant("age at which files that left the archive are deleted", rewrite, "VACUUM_HOURS", VACUUM),
        _constant("rows of the ledger between two times that it is compacted", housekeeping, "EVERY_ROWS"),
        _constant("size from which a file is not compacted again", small_files, "FULL_FILE_MEBIBYTES", "{} MiB"),
        _constant("time that a replaced file of ledger or filters stays", housekeeping, "REPLACED_FILES_HOURS", hours),
        _limit("`doctor` reports records that the log deletes within", _hours(findings.SOON), findings),
        _limit("`doctor` calls an open transaction wrong after", _hours(findings.LONG), findings),
        _limit("time between two looks at the offset of a zone", probed, days),
    ]


def _hours(length: Any) -> str:
    seconds = int(length.total_seconds())
    return f"{seconds // 3600} hours" if seconds >= 3600 else f"{seconds // 60} minutes"


def _engine() -> list[Row]:
    return [
        _constant("longest record of the fast pass, with key and headers", fast_decoder, "LONGEST_BYTES", "{} bytes"),
        _constant("records of a batch that are held in the driver's memory, at most", fast_pass, "FEW_RECORDS", FEW),
        _constant("records of a batch that get the fast pass whatever was before, at most", topic_reader, "FEW_TO_TRY"),
        _constant("rows that a batch appends without Spark, at most", delta_tables, "SMALL_BYTES", "{} MiB", MIB),
        _constant("panes that are read to publish without Spark, at most", stored_panes, "MOST_PANES"),
        _constant("files in which they are, at most", stored_panes, "MOST_FILE_BYTES", "{} MiB", MIB),
        _constant("panes that are read at once to publish without Spark, about", near_panes, "PIECE_ROWS"),
        _constant("spans of time in which days are merged anew, at most", calendar_days, "MOST_SPANS"),
        _constant("panes that a continuous run keeps in memory, at most", pane_cache, "MOST_BYTES", "{} MiB", MIB),
        _constant("windows that are corrected without Spark, at most", in_process_upsert, "MOST_WINDOWS"),
        _constant(
            "files of windows written without Spark, about", in_process_upsert, "TARGET_FILE_BYTES", "{} MiB", MIB
        ),
        _constant("events of a row of Sliding that counts distinct values, at most", sliding, "CROWDED"),
        _constant("events that are looked at at once to publish, about", event_plan, "SLICE_EVENTS"),
        _constant(
            "slices of so many events that are published without Spark, at most", event_publication, "MOST_SLICES"
        ),
        _constant("rows of the archive that Spark gets at once", file_reader, "BATCH_ROWS"),
        _constant("the first batch of a continuous run: its bound divided by", batch_size, "START_DIVISOR"),
    ]
