"""Names that are stored in tables, logs and files that later versions read: they never change.

They are written out here, so that renaming a constant does not rename them in the reference.
"""

REASONS = {
    "null_value": "The record has no value.",
    "null_key": "It has no key, and the schema file names one.",
    "too_large": "Its value is longer than a value may be.",
    "invalid_utf8": "Its value is not UTF-8.",
    "not_json": "Its value is not JSON, not an object, or nested too deeply.",
    "trailing_data": "There is more behind the JSON object.",
    "missing_field": "A field that must be there is missing or null.",
    "not_finite": "A number is infinite or not a number.",
    "wrong_type": "A field has a value that its column cannot hold.",
    "time_before_1970": "Its event time is before 1970.",
    "time_after_record": "Its event time is further after the record's own timestamp than MAX_AHEAD.",
    "time_after_9998": "Its event time is in the year 9999 or later.",
}
"""Reasons of quarantine, in the order of their checks."""

NAMES = {
    "Steps": (
        "In the `userMetadata` of a commit, under `step`.",
        {
            "create": "The table was made.",
            "quarantine": "Records that could not be read; of a requeue, those that left quarantine.",
            "panes": "Partial panes of a batch.",
            "rows": "Rows of a batch, of a result without panes.",
            "filters": "Bloom filters that a batch changed.",
            "windows": "Windows that were published within a batch, or by a requeue.",
            "publish": "Windows that were published outside a batch.",
            "remove windows": "The rows of windows that the job file no longer has were removed.",
            "add windows": "The rows of windows that the job file has got were published for all panes.",
            "widen": "The table was written anew with wider columns.",
            "ledger": "The ledger row itself.",
        },
    ),
    "Kinds of ledger rows": (
        "In the ledger's column `kind`.",
        {
            "start": "A generation begins.",
            "batch": "A batch was closed.",
            "publish": "Windows were published outside a batch, or added and removed with the job file.",
            "requeue": "Quarantine was read again.",
            "gap": "Records that the log lost were accepted as lost.",
            "widen": "Tables were written anew with wider columns.",
        },
    ),
    "Metadata of commits": (
        "In the `userMetadata` of a commit to a result's table, as JSON.",
        {
            "job": "Name of the result.",
            "generation": "Generation of the checkpoint, as text.",
            "sequence": "The ledger row that closes the batch.",
            "step": "See above.",
            "start_offsets": "By partition, the first offset of the batch.",
            "end_offsets": "By partition, the offset after its last.",
            "reading": "Fingerprint of the schema file under which records were judged.",
        },
    ),
    "Parts of a definition": (
        "In the ledger's column `definition`, by which a changed job is noticed.",
        {
            "topic": "TOPIC of the schema file.",
            "key": "KEY of the schema file.",
            "event_time": "EVENT_TIME, and its unit and zone where they are not the default.",
            "panes": "The fields of Panes.",
            "windows": "The labels of the windows.",
            "membership": "The fields of Membership.",
            "allowed_lateness": "As in the job file.",
            "rules": "By which rules numbers are made.",
            "columns": "The columns of the topic that the result uses, with their types.",
        },
    ),
    "Marks": (
        "Transaction identifiers in the Delta log of the archive; the last one in that of a ledger.",
        {
            "partitions:TOPIC": "Number of partitions.",
            "end:TOPIC:PARTITION": "Offset after the last one given out.",
            "first:TOPIC:PARTITION": "Where the partition begins.",
            "compacted:TOPIC:PARTITION": "Offset up to which compaction has come.",
            "tombstones:TOPIC:PARTITION": "Offset up to which compaction has met tombstones.",
            "tombstones_time:TOPIC:PARTITION": "When it did, milliseconds since 1970.",
            "kept:TOPIC": "1: a copy of a topic in Kafka.",
            "kafka:TOPIC:ID": "1: the topic's id in Kafka.",
            "covered:TOPIC:PARTITION": "Offset up to which files say what they cover.",
            "lost:TOPIC:PARTITION:OFFSET": "Offset after a gap that was accepted.",
            "NAME:ledger": "Sequence of the last row.",
        },
    ),
    "Files, folders, groups": (
        "",
        {
            "NAME_panes": "Table of partial panes.",
            "NAME_filters": "Table of Bloom filters.",
            "NAME_quarantine": "Table of records that could not be read.",
            "NAME_ledger": "The ledger.",
            "NAME/generation-00001": "In the folder of checkpoints: the checkpoint of a generation.",
            "NAME/generation-00001.aside-1": "One that was moved aside: nothing reads it.",
            "NAME.lock": "In the folder of checkpoints: held by a run's Python.",
            "NAME.java.lock": "The same, held by its Java.",
            "topic=TOPIC/partition=PARTITION": "In the archive: the folder of a partition's files.",
            "_producers.lock": "In the archive: held by a producer while it commits.",
            "headrace.covers": "In the footer of a file copied from Kafka: FROM-TO, the offsets [FROM, TO) it covers.",
            "NAME": "Kafka's consumer group of a result; the groups of its readers begin so.",
        },
    ),
}
"""By title: where these names are stored, and what each means."""
