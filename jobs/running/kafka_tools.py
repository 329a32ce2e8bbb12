"""Command lines of Kafka's own tools that a message gives as remedy: complete, to be typed as they stand.

Kafka's archive has the tools in `bin/`, with `.sh` at the end of their names; packages leave the ending out.
"""

import json

from jobs.running.kafka_access import Kafka


def set_config(kafka: Kafka, topic: str, setting: str) -> str:
    """Gives the topic a setting, such as retention.ms=-1."""
    return _configs(kafka, topic, setting) + _login(kafka)


def bound_timestamps(kafka: Kafka, topic: str) -> str:
    """Lets the topic take no record whose timestamp is more than an hour after its arrival, as Kafka does by itself."""
    return _bound(kafka, topic) + _login(kafka)


def abort_transaction(kafka: Kafka, topic: str, partition: int, start_offset: int) -> str:
    """Ends the transaction whose first record in the partition is at `start_offset`."""
    what = f"abort --topic {topic} --partition {partition} --start-offset {start_offset}"
    return _line(kafka, "kafka-transactions", what) + _login(kafka)


def skip_record(kafka: Kafka, topic: str, partition: int, offset: int) -> str:
    """Bounds the topic's timestamps, then deletes the partition's records up to and with `offset`."""
    what = {"partitions": [{"topic": topic, "partition": partition, "offset": offset + 1}], "version": 1}
    delete = f"echo '{json.dumps(what)}' | {_line(kafka, 'kafka-delete-records', '--offset-json-file /dev/stdin')}"
    return f"{_bound(kafka, topic)} && {delete}{_login(kafka)}"


def _bound(kafka: Kafka, topic: str) -> str:
    return _configs(kafka, topic, "message.timestamp.after.max.ms=3600000")


def _configs(kafka: Kafka, topic: str, setting: str) -> str:
    return _line(kafka, "kafka-configs", f"--alter --entity-type topics --entity-name {topic} --add-config {setting}")


def _line(kafka: Kafka, tool: str, arguments: str) -> str:
    servers = ",".join(server.strip() for server in kafka.servers.split(","))
    login = "" if kafka.security == "PLAINTEXT" else "--command-config FILE "
    return f"{tool} --bootstrap-server {servers} {login}{arguments}"


def _login(kafka: Kafka) -> str:
    """What FILE in a line is: no secret of this program is written into a file for others."""
    if kafka.security == "PLAINTEXT":
        return ""
    return " (FILE: security.protocol and a login that may do it, as Kafka's clients take them)"
