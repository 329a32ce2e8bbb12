"""Commands of Kafka's own in messages; that they do what they say is shown with a broker, in tests/cluster."""

import re
from pathlib import Path

import pytest

from jobs.running import kafka_tools
from jobs.running.kafka_access import Kafka

ROOT = Path(__file__).parent.parent.parent.parent
CLEAR = Kafka(servers="localhost:9092, 127.0.0.1:9093")
SECURED = Kafka(servers="b:9093", security="SASL_SSL", username="u", password="${env:SECRET}")
COMMANDS = {
    "config": lambda kafka: kafka_tools.set_config(kafka, "t", "retention.ms=-1"),
    "timestamps": lambda kafka: kafka_tools.bound_timestamps(kafka, "t"),
    "transaction": lambda kafka: kafka_tools.abort_transaction(kafka, "t", 2, 17),
    "record": lambda kafka: kafka_tools.skip_record(kafka, "t", 2, 17),
}


@pytest.mark.parametrize("which", COMMANDS)
def test_each_tool_is_told_which_broker_and_whether_to_log_in(which: str) -> None:
    said, secured = COMMANDS[which](CLEAR), COMMANDS[which](SECURED)
    called = re.findall(r"kafka-[a-z-]+ (--bootstrap-server \S+)(?: (--command-config FILE))?", said)
    assert called and set(called) == {("--bootstrap-server localhost:9092,127.0.0.1:9093", "")}
    called = re.findall(r"kafka-[a-z-]+ (--bootstrap-server \S+)(?: (--command-config FILE))?", secured)
    assert called and set(called) == {("--bootstrap-server b:9093", "--command-config FILE")}
    assert secured.count(" (FILE: ") == 1 and "FILE" not in said and "SECRET" not in secured


def test_no_other_file_writes_such_a_command() -> None:
    command = re.compile(r"kafka-[a-z-]+(\.sh)? +(--|abort|\{)")
    wrong = [path.name for path in (ROOT / "jobs").rglob("*.py") if command.search(path.read_text())]
    assert wrong == []
