"""What is delivered of a result's feeds: after the ledger row of a publish, and noted in the next ledger row.

A delivery that fails stops neither the publish nor the run. It is told in one line, kept as a note in the next ledger
row, and tried again with all that waits.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jobs.answers.delivery import Topic
from jobs.answers.result import Result
from jobs.keeping.ledger import Row
from jobs.keeping.ledger_writer import LedgerWriter
from jobs.keeping.steps import Kind, announce
from jobs.publishing import delivery
from jobs.publishing.delivery import Sender
from jobs.run import Run
from jobs.running.errors import explain

AGAIN_SECONDS = 30.0
"""The pause after a failure: a receiver that does not answer must not hold up each publish."""
DELIVERY = "delivery"
"""What Run.step is told of."""


def begin(result: Result, row: Row, last: Row) -> Row:
    """`row`, of a publish after `last`, with all deliveries; one that comes to a feed that is there begins with all
    that this still holds. So does one that was taken out and comes back: meanwhile the feed has not waited for it.
    Of decided rows all are there, so each delivery begins with the first one.
    """
    if not result.deliver:  # what is published without a feed is in no feed that begins later
        return replace(row, delivered_sequence={})
    first = 0 if last.delivered_sequence or result.has_decided_rows else last.published_sequence
    known = last.delivered_sequence
    return replace(row, delivered_sequence={each.label: known.get(each.label, first) for each in result.deliver})


def begin_decided(result: Result, row: Row, last: Row) -> Row:
    """`row`, after `last`: if it adds decided rows, they are published with it."""
    if not result.has_decided_rows or row.records <= row.quarantined:
        return row
    return begin(result, replace(row, published_sequence=row.sequence), last)


@dataclass
class Deliveries:
    """Delivers the feeds of one result."""

    run: Run
    result: Result
    make_sender: Callable[..., Sender] = delivery.sender
    _senders: dict[str, Sender] = field(default_factory=dict)
    """By the label of the delivery, those that have sent something."""
    _not_before: dict[str, float] = field(default_factory=dict)
    """By label, when one that failed is tried again."""
    _notes: dict[str, str] = field(default_factory=dict)
    """By label, why it failed, until a ledger row has it."""
    _noted_after: int = 0
    """What is delivered is in the ledger's rows after this one."""

    def __post_init__(self) -> None:
        """Raises Refused if the places file does not say where to deliver."""
        for each in self.result.deliver:
            if not isinstance(each, Topic):
                delivery.find_place(self.run.places, each)

    def take_notes(self) -> tuple[str, ...]:
        """Why deliveries have failed since the last time, for the next ledger row."""
        notes, self._notes = tuple(self._notes.values()), {}
        return notes

    def send(self, ledger: LedgerWriter, ends_run: bool) -> None:
        """Send what waits, and remember it in the ledger's last row, so that the next row has it. A run that ends
        writes a row of its own for that.
        """
        self._forget_removed(ledger)
        known = ledger.last.delivered_sequence
        waiting = [each for each in self.result.deliver if known.get(each.label, 0) < ledger.last.published_sequence]
        now = time.monotonic()
        due = [each for each in waiting if ends_run or now >= self._not_before.get(each.label, now)]
        if due and known:  # else nothing is published yet
            with announce(self.run.step, DELIVERY):
                sent = {each.label: self._send(each, ledger.last) for each in due}
            if any(known.get(label, 0) < sequence for label, sequence in sent.items()):
                self._noted_after = ledger.last.sequence
            ledger.last = replace(ledger.last, delivered_sequence=known | sent)
        if ends_run and (self._noted_after == ledger.last.sequence or self._notes):
            ledger.close(self._note(ledger.last))

    def _forget_removed(self, ledger: LedgerWriter) -> None:
        """Take those that the job no longer has out of the ledger: another result may have the topic then."""
        labels = {each.label for each in self.result.deliver}
        known = ledger.last.delivered_sequence
        if known.keys() - labels:
            stays = {label: sequence for label, sequence in known.items() if label in labels}
            ledger.last = replace(ledger.last, delivered_sequence=stays)
            self._noted_after = ledger.last.sequence

    def _send(self, each: delivery.Delivery, last: Row) -> int:
        """The ledger row up to which it is delivered now."""
        until, label = last.published_sequence, each.label
        done = last.delivered_sequence.get(label, 0)
        try:
            if label not in self._senders:
                self._senders[label] = self.make_sender(self.run.places, self.result, each)
            sender = self._senders[label]
            for sequence in delivery.send_waiting(sender, self.run.places, self.result, each, done, until):
                done = sequence
        except Exception as error:
            self._fail(label, error)
        return done

    def _fail(self, label: str, error: Exception) -> None:
        self._senders.pop(label, None)
        self._not_before[label] = time.monotonic() + AGAIN_SECONDS
        note = f"{label} is not delivered, and is tried again: {explain(error, self.run.places.kafka)}"
        self._notes[label] = note
        self.run.say(f"{self.result.name}: {note}")

    def _note(self, last: Row) -> Row:
        """A row after `last` that publishes nothing: what was published, and delivered, is so up to this row."""
        row = last.next(Kind.DELIVER, notes=self.take_notes())
        if last.published_sequence < last.sequence:
            return row
        done = {
            label: row.sequence if sequence >= last.published_sequence else sequence
            for label, sequence in last.delivered_sequence.items()
        }
        open_sequence = row.sequence if last.open_sequence >= last.published_sequence else last.open_sequence
        return replace(row, published_sequence=row.sequence, open_sequence=open_sequence, delivered_sequence=done)
