"""Changes into a topic of Kafka, exactly once for readers of committed records: one transaction for each publish."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from jobs.log.kafka.transaction import TransactionalProducer
from jobs.publishing import messages


@dataclass(frozen=True)
class ToKafka:
    """Sends the changes of one answer to one topic."""

    producer: TransactionalProducer
    key: Sequence[str]
    """Columns of the records' key."""
    rows_key: Sequence[str]
    """Columns that tell a row of the answer from another."""

    def last_sent(self) -> int:
        """The ledger row of the last publish that the topic has."""
        return self.producer.number()

    def send(self, changes: pa.Table, sequence: int) -> None:
        """Send the changes of one publish in one transaction. Raises Refused."""
        self.producer.append(messages.records(changes, self.key, self.rows_key), sequence)
