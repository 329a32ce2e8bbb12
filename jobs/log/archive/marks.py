"""The marks of the archive: what it remembers of a topic besides its records.

A mark is a whole number under a name, kept as a transaction id of Delta. It is set by the commit that makes it true,
stays when data files are deleted, and two commits that set the same mark at the same time conflict. Only this module
spells the names; they are stored, so they never change.
"""


def partitions(topic: str) -> str:
    """The topic's number of partitions."""
    return f"partitions:{topic}"


def end(topic: str, partition: int) -> str:
    """The next offset to give out: it never goes back, whatever files are deleted."""
    return f"end:{topic}:{partition}"


def first(topic: str, partition: int) -> str:
    """Where a partition begins, once retention or compaction has been there, or where a copy of Kafka's begins."""
    return f"first:{topic}:{partition}"


def compacted_end(topic: str, partition: int) -> str:
    """The offset up to which compaction has removed records of a partition."""
    return f"compacted:{topic}:{partition}"


def tombstones(topic: str, partition: int) -> str:
    """The offset up to which compaction has met the tombstones of a partition."""
    return f"tombstones:{topic}:{partition}"


def tombstones_time(topic: str, partition: int) -> str:
    """When it met them, in milliseconds since the epoch."""
    return f"tombstones_time:{topic}:{partition}"


def kafka_copy(topic: str) -> str:
    """1 if the topic is a copy of one in Kafka."""
    return f"kept:{topic}"


def kafka_topic(topic: str, topic_id: str) -> str:
    """1 if its records are those of the topic with this id in Kafka."""
    return f"kafka:{topic}:{topic_id}"


def covered_end(topic: str, partition: int) -> str:
    """The offset up to which the files of a copied partition say which offsets were read for them."""
    return f"covered:{topic}:{partition}"


def feed_end(topic: str, table: str, feed_id: str) -> str:
    """The ledger row up to which the changes of this table are in the topic. `feed_id`: of its feed, which is another
    one when the result is built anew and counts from 1 again.
    """
    return f"fed:{topic}:{table}:{feed_id}"


def loss(topic: str, partition: int, start: int) -> str:
    """The end of a gap that begins at offset `start`: its records were gone from Kafka before they were copied, and a
    person accepted the loss.
    """
    return f"lost:{topic}:{partition}:{start}"
