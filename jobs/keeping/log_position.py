"""Where in the log a run goes on: at the ledger's offsets, if the log is the one that was read and still has them."""

from dataclasses import dataclass, replace

from jobs.answers.result import Result
from jobs.events.changes.debezium_transactions import is_of_transactions
from jobs.keeping import ledger
from jobs.keeping.ledger import Position, Row
from jobs.keeping.steps import Kind
from jobs.log import home
from jobs.log.kafka.topics import TopicProbe
from jobs.log.topic import Topic
from jobs.run import Run
from jobs.running.errors import Refused
from jobs.running.places import Places


@dataclass(frozen=True)
class LostRange:
    """Records of one partition that were not read and are no longer in the log: offsets [start, end)."""

    partition: int
    start: int
    end: int


def check(run: Run, result: Result, last: Row) -> tuple[list[Topic], Row]:
    """Check that the log is the one that was read, and has what the ledger has not read yet. Returns what the log has
    of each topic, and the ledger's last row: a new one where records are lost and the run accepts that.

    Raises Refused when a topic is another one, is shorter than what was read, or has lost records.
    """
    topics = []
    for name, position in last.positions(result.topics).items():
        topics.append(check_same_topic(run.places, result.name, name, position, last.log_home))
        lost = lost_ranges(position.end_offsets, topics[-1]) if position.end_offsets else []
        last = _accept(run, result, name, last, lost) if lost else last
    return topics, last


def check_same_topic(places: Places, name: str, topic: str, last: Position, log_home: str) -> Topic:
    """What the log has of the topic now. Raises Refused if it is not the topic that result `name` has read, up to
    `last`, in this home of the log.
    """
    now = home.topic(places, topic)
    before = log_home or "archive"
    if last.end_offsets and not home.is_same_topic(places, topic, before, last.topic_id):
        raise Refused(
            f"topic {topic} is not the one that {name} has read: it was deleted and made again, or it is of "
            f"another log ({before} before, {places.log} now). Its offsets mean other records. Give the result a new "
            "version in its name, or move its tables away to build them from this log."
        )
    for partition, offset in last.end_offsets.items():
        if offset > now.ends.get(partition, 0):
            raise Refused(
                f"partition {partition} of topic {topic} ends at offset {now.ends.get(partition, 0)}, but {name} "
                f"has read it up to {offset}: the log was replaced or has lost its end. Bring it back, or give the "
                "result a new version in its name."
            )
    return now


def check_topic_id(probe: TopicProbe, result: Result, topic: str, topic_id: str) -> None:
    """Raises Refused unless what a batch has read is of the topic that the ledger knows. A topic that is made again
    while a run goes on may have records at the next offsets, and Spark would read on in them.
    """
    if probe.id() != topic_id:
        raise Refused(
            f"topic {topic} was deleted, or deleted and made again, while {result.name} was reading it: "
            "its offsets mean other records now. Nothing of them was written. Give the result a new version in its "
            "name, or move its tables away to build them from this topic."
        )


def check_partitions(result: Result, topic: str, read: Position) -> None:
    """Raises Refused if a batch reads new partitions of a topic whose form takes its order from the offsets of a key's
    partition: keys may have moved there, and begin again at offset 0.
    """
    forms = [one.form for one in result.all_reads if one.form and topic == one.topic.TOPIC]
    new = sorted(read.end_offsets.keys() - read.start_offsets.keys()) if read.start_offsets else []
    if any(map(is_of_transactions, forms)) and len(read.end_offsets) > 1:
        raise Refused(
            f"topic {topic} has {len(read.end_offsets)} partitions, and its offsets tell the order of transactions: "
            f"{result.name} cannot follow it. Let the connector make it anew with one partition (topic.creation.groups)"
        )
    if new and any(form.is_by_offset for form in forms):
        raise Refused(
            f"topic {topic} has got partitions {', '.join(map(str, new))}, and its records are rows in the order of "
            f"their offsets: that of a key that has moved is lost. {result.name} takes none of them in. Write the rows "
            "into a new topic with as many partitions, and give the result a new version that reads it."
        )


def new_partitions_note(topic: str, read: Position) -> tuple[str, ...]:
    """A note for the ledger row of a batch that reads new partitions of the topic; of any other batch, ()."""
    new = sorted(read.end_offsets.keys() - read.start_offsets.keys()) if read.start_offsets else []
    if not new:
        return ()
    which = ", ".join(map(str, new))
    return (
        f"topic {topic} has got partitions {which}: keys that have moved there count as not seen before by membership",
    )


def lost_ranges(read: dict[int, int], topic: Topic) -> list[LostRange]:
    """What is gone before it was read. `read`: by partition, the offset after the last record that was; a partition
    that is not in it was to be read from its offset 0.
    """
    firsts = sorted(topic.firsts.items())
    return [
        LostRange(partition, read.get(partition, 0), first)
        for partition, first in firsts
        if first > read.get(partition, 0)
    ]


def record_start(run: Run, result: Result, last: Row) -> Row:
    """Write a ledger row with the offsets at which the run is to start, if it says so and nothing was read yet. Returns
    the ledger's last row.
    """
    if run.start is None:
        return last
    positions = last.positions(result.topics)
    if any(position.end_offsets for position in positions.values()):
        run.say(f"{result.name}: goes on from its ledger; --start counts in the first run of a result alone")
        return last
    starts = {name: home.starting_offsets(run.places, name, run.start) for name in result.topics}
    row = last.next(Kind.START, notes=(f"started at {run.start}",))
    row = row.with_positions({name: replace(one, end_offsets=starts[name]) for name, one in positions.items()})
    return ledger.write(run.places, result.name, row)


def _accept(run: Run, result: Result, topic: str, last: Row, lost: list[LostRange]) -> Row:
    """Write a ledger row for the gap, and return it. Raises Refused unless the run accepts the loss."""
    if not run.accept_loss:
        raise Refused(loss_message(topic, result.name, lost))
    of_topic = "" if len(result.topics) == 1 else f"of topic {topic}, "
    note = f"lost, and accepted: {of_topic}{describe_ranges(lost)}"
    row = last.next(Kind.GAP, notes=(note,))
    positions = row.positions(result.topics)
    ends = positions[topic].end_offsets | {each.partition: each.end for each in lost}
    row = row.with_positions(positions | {topic: replace(positions[topic], end_offsets=ends)})
    row = ledger.write(run.places, result.name, row)
    run.say(f"{result.name}: {note}")
    return row


def loss_message(topic: str, name: str, lost: list[LostRange]) -> str:
    """Which records are gone that result `name` has not read, and what to do."""
    return (
        f"topic {topic} no longer has records that {name} has not read ({describe_ranges(lost)}): retention was "
        "faster. Bring them back, or run once with --accept-loss: it goes on behind them and the ledger says what is "
        "lost."
    )


def describe_ranges(lost: list[LostRange]) -> str:
    """Partitions and offsets in words."""
    return "; ".join(f"partition {each.partition}, offsets {each.start} to {each.end - 1}" for each in lost)
