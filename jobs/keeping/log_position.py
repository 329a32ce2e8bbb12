"""Where in the log a run goes on: at the ledger's offsets, if the log is still the one that was read and has them."""

from dataclasses import dataclass

from jobs.answers.result import Result
from jobs.keeping import ledger
from jobs.keeping.ledger import Row
from jobs.log import home
from jobs.log.kafka.topics import TopicProbe
from jobs.log.topic import Topic
from jobs.run import Run
from jobs.running.errors import Refused
from jobs.running.places import Places


@dataclass(frozen=True)
class Lost:
    """Records of one partition that were not read and are no longer in the log: offsets [first, after)."""

    partition: int
    first: int
    after: int


def check(run: Run, result: Result, last: Row) -> Topic:
    """See that the log is the one that was read, and goes on where the ledger stands; returns its topic.

    Writes a row into the ledger when records are lost and that was accepted. Raises Refused when the topic is another
    one, is shorter than what was read, or has lost records.
    """
    now = compare(run.places, result.name, result.topic.TOPIC, last)
    if last.end_offsets and (lost := missing(last.end_offsets, now)):
        _accept(run, result, last, lost)
    return now


def compare(places: Places, name: str, topic: str, last: Row) -> Topic:
    """What the log has of the topic now. Raises Refused if it is not the topic that result `name` has read."""
    now = home.topic(places, topic)
    before = last.log_home or "archive"
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


def check_not_remade(looking: TopicProbe, result: Result, last: Row) -> None:
    """See that what a batch has read is of the topic that the ledger knows: one that is made again while a run goes on
    may have records at the next offsets, and Spark would go on with them. Raises Refused.
    """
    if looking.id() != last.topic_id:
        raise Refused(
            f"topic {result.topic.TOPIC} was deleted, or deleted and made again, while {result.name} was reading it: "
            "its offsets mean other records now. Nothing of them was written. Give the result a new version in its "
            "name, or move its tables away to build them from this topic."
        )


def grown(topic: str, row: Row) -> tuple[str, ...]:
    """That the topic has more partitions than before the batch, and what follows from it, in words; else nothing."""
    new = sorted(row.end_offsets.keys() - row.start_offsets.keys()) if row.start_offsets else []
    if not new:
        return ()
    which = ", ".join(map(str, new))
    return (
        f"topic {topic} has got partitions {which}: keys that have moved there count as not seen before by membership",
    )


def missing(read: dict[int, int], now: Topic) -> list[Lost]:
    """What is gone before it was read. A partition that is new to the result was to be read from its offset 0."""
    firsts = sorted(now.firsts.items())
    return [Lost(part, read.get(part, 0), first) for part, first in firsts if first > read.get(part, 0)]


def begin(run: Run, result: Result, last: Row) -> Row:
    """The ledger's last row, and where the run asks for a start and nothing is read yet, a new one that has it."""
    if run.start is None:
        return last
    if last.end_offsets:
        run.say(f"{result.name}: goes on from its ledger; --start counts in the first run of a result alone")
        return last
    offsets = home.starting_offsets(run.places, result.topic.TOPIC, run.start)
    row = last.next("start", end_offsets=offsets, notes=(f"started at {run.start}",))
    return ledger.write(run.places, result.name, row)


def _accept(run: Run, result: Result, last: Row, lost: list[Lost]) -> None:
    """Write a ledger row for the gap. Raises Refused unless the run accepts the loss."""
    name = result.topic.TOPIC
    said = shown(lost)
    if not run.accept_loss:
        raise Refused(loss(name, result.name, lost))
    note = f"lost, and accepted: {said}"
    ends = last.end_offsets | {each.partition: each.after for each in lost}
    ledger.write(run.places, result.name, last.next("gap", end_offsets=ends, notes=(note,)))
    run.say(f"{result.name}: {note}")


def loss(topic: str, name: str, lost: list[Lost]) -> str:
    """That records are gone which result `name` has not read, and what to do."""
    return (
        f"topic {topic} no longer has records that {name} has not read ({shown(lost)}): retention was faster. "
        "Bring them back, or run once with --accept-loss: it goes on behind them and the ledger says what is lost."
    )


def shown(lost: list[Lost]) -> str:
    """The offsets in words."""
    return "; ".join(f"partition {each.partition}, offsets {each.first} to {each.after - 1}" for each in lost)
