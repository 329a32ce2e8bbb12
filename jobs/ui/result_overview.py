"""One result as the pages, the JSON and the metrics show it: all three are made of this dataclass."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jobs.admin import assessment
from jobs.admin.assessment import Assessment
from jobs.keeping.ledger import Row
from jobs.running.places import Places


@dataclass(frozen=True)
class DeliveryProgress:
    """How far one delivery of a result is."""

    label: str
    """Its name in the ledger, such as topic:outcomes."""
    delivered_sequence: int
    """The ledger row up to which all is delivered."""
    published_sequence: int
    """The ledger row up to which all is published."""

    @property
    def is_waiting(self) -> bool:
        """Whether something that is published may not be delivered."""
        return self.delivered_sequence < self.published_sequence


@dataclass(frozen=True)
class ResultOverview:
    """How a result was when it was looked up."""

    assessment: Assessment
    """What `headrace status` and `headrace doctor` say."""
    deliveries: tuple[DeliveryProgress, ...]
    taken_time: datetime

    @property
    def name(self) -> str:
        """The name of the result."""
        return self.assessment.name

    @property
    def topics(self) -> tuple[str, ...]:
        """What it reads; empty if that is not known."""
        return () if self.assessment.facts is None else self.assessment.facts.topics

    def record(self) -> dict[str, Any]:
        """As JSON has it: what `headrace status --json` says, and the deliveries."""
        delivered = [
            {"label": each.label, "delivered_sequence": each.delivered_sequence, "is_waiting": each.is_waiting}
            for each in self.deliveries
        ]
        return assessment.record(self.assessment) | {"deliveries": delivered, "taken_time": self.taken_time.isoformat()}


def take(places: Places, name: str) -> ResultOverview:
    """Look the result up, without Java. What cannot be read is said in it."""
    known = assessment.assess(places, name)
    deliveries = () if known.facts is None else _deliveries(known.facts.last)
    return ResultOverview(known, deliveries, datetime.now(UTC))


def _deliveries(last: Row) -> tuple[DeliveryProgress, ...]:
    by_label = sorted(last.delivered_sequence.items())
    return tuple(DeliveryProgress(label, sequence, last.published_sequence) for label, sequence in by_label)
