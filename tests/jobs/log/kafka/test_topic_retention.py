"""How long a topic keeps its records, as its settings say it."""

import pytest

from jobs.log.kafka import topic_retention

DAY_MS = 24 * 60 * 60 * 1000


@pytest.mark.parametrize(
    ("settings", "kept_ms"),
    [
        ({"retention.ms": "5000"}, 5000),
        ({"retention.ms": "0"}, 0),
        ({"retention.ms": "-1"}, None),
        ({}, None),
        ({"retention.ms": "5000", "cleanup.policy": "compact"}, None),
        ({"retention.ms": "5000", "cleanup.policy": "compact,delete"}, 5000),
        ({"retention.ms": "5000", "message.timestamp.type": "LogAppendTime"}, None),
        ({"retention.ms": "5000", "message.timestamp.type": "CreateTime", "cleanup.policy": None}, 5000),
    ],
)
def test_when_a_record_goes_by_its_own_timestamp(settings: dict[str, str | None], kept_ms: int | None) -> None:
    assert topic_retention.deletion_age_ms(settings) == kept_ms


@pytest.mark.parametrize(
    ("broker", "kept_ms"),
    [
        ({"ms": None, "minutes": None, "hours": "168"}, 7 * DAY_MS),
        ({"ms": None, "minutes": "90", "hours": "168"}, 90 * 60_000),
        ({"ms": "250", "minutes": "90", "hours": "168"}, 250),
        ({"ms": "-1", "minutes": None, "hours": "168"}, -1),
        ({"ms": None, "minutes": None, "hours": "-1"}, -1),
        ({}, 7 * DAY_MS),
    ],
)
def test_the_finest_setting_of_a_broker_counts(broker: dict[str, str | None], kept_ms: int) -> None:
    named = {f"log.retention.{unit}": said for unit, said in broker.items()}
    assert topic_retention.retention_ms(named) == kept_ms


@pytest.mark.parametrize(
    ("retention_ms", "said"),
    [
        (-1, "forever"),
        (7 * DAY_MS, "for 7.0 days"),
        (DAY_MS - 1, "for 24.0 hours"),
        (90_000, "for 1.5 minutes"),
        (0, "for 0.0 seconds"),
    ],
)
def test_a_length_of_time_in_words(retention_ms: int, said: str) -> None:
    assert topic_retention.words(retention_ms) == said
