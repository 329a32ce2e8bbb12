"""Clients of Kafka's own library, and its errors in words that say what to do."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from jobs.log.kafka import patience
from jobs.running import kafka_options
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

NOT_ALLOWED = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
"""Answers to a user whom an ACL forbids to do that."""


class Unreachable(Refused):
    """The broker cannot be reached, or does not let this user in."""


def connect(kafka: Kafka, make: Callable[[dict[str, Any]], Any], **options: Any) -> Any:
    """A client of confluent-kafka, and the list in which it collects its errors, for `refusal`. Raises Refused."""
    patience.begin(kafka)
    client_errors: list[KafkaError] = []
    try:
        made_client = make(kafka.for_python() | {"error_cb": client_errors.append} | options)
    except (OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.args[0]
        raise Unreachable(f"a secret of [kafka] cannot be read: {reason}.") from None
    except KafkaException as error:
        raise _wrong_option(kafka, error) or refusal(kafka, error, client_errors) from None
    return made_client, client_errors


def _wrong_option(kafka: Kafka, error: KafkaException) -> Refused | None:
    """That an option of [kafka.options] is none, or has no such value; None if it is something else. librdkafka's own
    words may hold the value.
    """
    if error.args[0].code() not in (KafkaError._INVALID_ARG, KafkaError._CONFLICT):
        return None
    words = str(error.args[0].str())
    names = {kafka_options.FOR_PYTHON.get(name, name): name for name in kafka.options}
    for name in sorted(names, key=len, reverse=True):
        if f'"{name}"' in words:
            what = "has no such option" if words.startswith("No such configuration") else "takes no such value"
            return Refused(
                f"[kafka.options] {names[name]}: librdkafka, Kafka's client in Python, {what}. Mend it there."
            )
    return None


def refusal(kafka: Kafka, error: KafkaException, client_errors: list[KafkaError]) -> Refused:
    """The error of a client in words; an earlier one in `client_errors` is often the cause."""
    codes = {fault.code() for fault in [*client_errors, error.args[0]]}
    if codes & {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED}:
        shut_out = (
            f"the broker {kafka.servers} does not let {kafka.username or 'this client'} in: user, password or "
            "mechanism is wrong. Mend [kafka] in the places file."
        )
        return patience.give_up(kafka, Unreachable(shut_out))
    if codes & {KafkaError._SSL}:
        no_tls = (
            f"no TLS with the broker {kafka.servers}: its certificate has expired, is not signed by the authorities "
            "that [kafka] names, or is of another host."
        )
        return patience.give_up(kafka, Unreachable(no_tls))
    if codes & NOT_ALLOWED:
        return Unreachable(f"{kafka.username or 'this client'} may not do that on {kafka.servers}: an ACL is missing.")
    if codes & {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT, KafkaError._RESOLVE}:
        silent = f"the broker {kafka.servers} does not answer. Is it running, and is [kafka] right?"
        return patience.give_up(kafka, Unreachable(silent))
    if codes & {KafkaError.INVALID_TIMESTAMP, KafkaError.INVALID_RECORD}:
        return Refused(
            f"The broker {kafka.servers} takes no such record into this topic: its timestamp is further from its "
            "arrival than the topic's message.timestamp.before.max.ms or message.timestamp.after.max.ms allow, or it "
            "has no key and the topic is compacted."
        )
    return Refused(f"the broker {kafka.servers} refused: {error.args[0].name()}.")


def wait(admin: AdminClient, future: Any, client_errors: list[KafkaError]) -> Any:
    """The result of the future. Raises KafkaException, at once and not after a timeout if the broker lets nobody in."""
    while not future.done():
        admin.poll(0.01)  # fills `client_errors`
        shut = [fault for fault in client_errors if fault.code() in (KafkaError._AUTHENTICATION, KafkaError._SSL)]
        if shut:
            raise KafkaException(shut[0])
    return future.result()
