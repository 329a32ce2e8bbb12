"""A broker that is away is waited for once."""

import pytest

from jobs.log.kafka import patience, records, topics
from jobs.log.kafka.client import Unreachable
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka
from tests.jobs.log.kafka.silent_brokers import KINDS, away


@pytest.mark.parametrize("kind", KINDS)
def test_a_broker_that_is_away_is_asked_once(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LOOK_SECONDS", 0.5)
    said: list[str] = []
    with away(kind) as servers, patience.ask_once(said.append):
        with pytest.raises(Unreachable, match="does not answer"):
            topics.require(Kafka(servers=servers), "a")
        monkeypatch.setattr(topics, "AdminClient", None)  # nobody may ask again
        for ask in (topics.settings, records.extents, records.open_transactions):
            with pytest.raises(Unreachable, match=f"{servers} does not answer"):
                ask(Kafka(servers=servers), "b")
    assert said == [f"asking the broker {servers}, for 0 seconds at most"]


def test_within_it_each_question_is_asked_once_and_a_refusal_is_an_answer() -> None:
    asked: list[tuple[str, int]] = []

    @patience.remember
    def ask(kafka: Kafka, topic: str, offset: int) -> int:
        asked.append((topic, offset))
        if topic == "none":
            raise Refused("there is no topic none")
        return offset

    broker, other = Kafka(servers="127.0.0.1:1"), Kafka(servers="127.0.0.1:2")
    for _ in range(2):
        with patience.ask_once(lambda _: None):
            for _ in range(2):
                assert (ask(broker, "a", 1), ask(broker, "a", 2), ask(other, "a", 1)) == (1, 2, 1)
                with pytest.raises(Refused, match="no topic none"):
                    ask(broker, "none", 0)
    assert asked == [("a", 1), ("a", 2), ("a", 1), ("none", 0)] * 2
    assert (ask(broker, "a", 1), ask(broker, "a", 1), len(asked)) == (1, 1, 10)
