"""The table [kafka.options] of a places file: more options of Kafka's two clients, by the names that Kafka documents.

Java's client plans what is read, and librdkafka, Python's, reads and writes. Most options have one name in both. What
they have not, the tables here say.
"""

import re
from collections.abc import Mapping
from typing import Any

from jobs.running.references import REFERENCE, resolve_reference

FOR_PYTHON = {
    "fetch.max.wait.ms": "fetch.wait.max.ms",
    "max.request.size": "message.max.bytes",
    "receive.buffer.bytes": "socket.receive.buffer.bytes",
    "request.timeout.ms": "socket.timeout.ms",
    "send.buffer.bytes": "socket.send.buffer.bytes",
}
"""By Java's name of an option of both, librdkafka's."""
JAVA_ALONE = (
    *("default.api.timeout.ms", "metric.reporters", "sasl.client.callback.handler.class"),
    *("sasl.jaas.config", "sasl.login.callback.handler.class", "sasl.login.class", "sasl.login.connect.timeout.ms"),
    *("sasl.login.read.timeout.ms", "security.providers", "ssl.enabled.protocols", "ssl.protocol", "ssl.provider"),
)
"""Options of Java's client that librdkafka has not: it does not get them."""
PYTHON_ALONE = (
    *("broker.address.family", "broker.address.ttl", "https.ca.location", "https.ca.pem"),
    *("queued.max.messages.kbytes", "queued.min.messages", "sasl.kerberos.keytab", "sasl.kerberos.kinit.cmd"),
    *("sasl.kerberos.principal", "socket.keepalive.enable", "ssl.curves.list", "ssl.sigalgs.list"),
)
"""Options of librdkafka that Java's client has not."""
OWN = {
    "acks": "",
    "auto.offset.reset": "",
    "bootstrap.servers": "servers",
    "debug": "",
    "enable.auto.commit": "",
    "enable.auto.offset.store": "",
    "enable.idempotence": "",
    "enable.partition.eof": "",
    "group.id": "",
    "group.instance.id": "",
    "interceptor.classes": "",
    "isolation.level": "",
    "key.deserializer": "",
    "key.serializer": "",
    "log_level": "",
    "partitioner": "",
    "partitioner.class": "",
    "plugin.library.paths": "",
    "sasl.mechanism": "mechanism",
    "sasl.mechanisms": "mechanism",
    "sasl.password": "password",
    "sasl.username": "username",
    "security.protocol": "security",
    "ssl.ca.location": "authorities",
    "ssl.certificate.location": "certificate",
    "ssl.key.location": "certificate",
    "ssl.key.password": "certificate_password",
    "ssl.keystore.location": "certificate",
    "ssl.truststore.location": "authorities",
    "transactional.id": "",
    "value.deserializer": "",
    "value.serializer": "",
}
"""Options that are headrace's: by name, the field of [kafka] that sets it; "" if no field may."""
_SECRET = re.compile(r"(password|secret|passphrase|credentials|assertion\.(file|private)|key(\.pem)?$|token$)")
"""In the names of options whose value is a secret."""
_SECRET_IN_TEXT = re.compile(r"""(?i)(password|secret|token)\w*\s*=\s*["']?(?!\$\{)[^\s"';$]""")
"""A secret that stands in a text such as sasl.jaas.config."""


def flatten(options: Mapping[str, Any], above: str = "") -> dict[str, str]:
    """Options by their whole names, also those that TOML took for tables in tables, as a.b = 1 is without quotes.
    Raises ValueError for a value that is neither text, number nor truth value.
    """
    flat: dict[str, str] = {}
    for name, value in options.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{above}{name}.")
        elif isinstance(value, bool):
            flat[above + name] = str(value).lower()
        elif isinstance(value, str | int | float):
            flat[above + name] = str(value)
        else:
            raise ValueError(f"{above}{name} is neither a text nor a number")
    return flat


def check(options: Mapping[str, str]) -> None:
    """Raises ValueError for an option that is headrace's own, and for a secret that stands in the file."""
    for name, value in options.items():
        if name in OWN:
            remedy = f"say {OWN[name]} = ... in [kafka]" if OWN[name] else "leave it out, as headrace sets it"
            raise ValueError(f"{name}: {remedy}")
        if name == "ssl.endpoint.identification.algorithm" and value in ("", "none"):
            raise ValueError(f"{name}: a broker that nobody has identified may be anyone; leave it out")
        is_open = not REFERENCE.fullmatch(value) if _SECRET.search(name) else _SECRET_IN_TEXT.search(value)
        if is_open:
            raise ValueError(
                f"{name}: a secret does not belong into this file: give ${{file:PATH:NAME}} or ${{env:NAME}}"
            )


def for_java(options: Mapping[str, str]) -> dict[str, str]:
    """Those that Java's client gets, with references for secrets."""
    return {name: value for name, value in options.items() if name not in PYTHON_ALONE}


def for_python(options: Mapping[str, str]) -> dict[str, str]:
    """Those that librdkafka gets, under its names, with the secrets. Raises OSError, KeyError if one is not there."""
    return {
        FOR_PYTHON.get(name, name): REFERENCE.sub(lambda found: resolve_reference(found[0]), value)
        for name, value in options.items()
        if name not in JAVA_ALONE
    }
