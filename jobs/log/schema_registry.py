"""The schema registry: schemas by their id, each asked for once in a process, by whoever decodes the records."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from jobs.running.errors import Refused
from jobs.running.places import Places
from jobs.running.registry_access import SchemaRegistry
from jobs.running.schema_text import SchemaText

MOST_SCHEMAS = 1_000
"""So many schemas are kept in a process."""
_SERIALISED = "serialized"
"""What the registry is asked for: the descriptor of a file of Protobuf; of Avro it gives the schema all the same."""


def connect(places: Places, topics: Iterable[Any]) -> None:
    """Let topics that are encoded by a registry (topic_encoding.encoded_topic) ask the one of the places file.

    Raises Refused if it names none, or the libraries are not installed.
    """
    for topic in topics:
        encoded = getattr(topic, "ENCODED", None)
        if encoded is None:
            continue
        if places.schema_registry is None:
            raise Refused(
                f"topic {topic.TOPIC} is encoded as {encoded.kind}, and the places file has no table [schema_registry] "
                'with url = "https://HOST:PORT".'
            )
        _client(places.schema_registry)
        encoded.connect(RegistrySource(places.schema_registry))


@dataclass(frozen=True)
class RegistrySource:
    """A schema_text.SchemaSource."""

    registry: SchemaRegistry

    def find(self, schema_id: int) -> SchemaText | None:
        """The schema of this id; None if the registry has none. Raises Refused if it cannot be asked."""
        try:
            return _schema(self.registry, schema_id)
        except LookupError:
            return None


def latest(registry: SchemaRegistry, subject: str) -> SchemaText:
    """The schema of the subject's latest version. Raises Refused if there is none."""
    found = latest_if_any(registry, subject)
    if found is None:
        there = _ask(registry, _client(registry).get_subjects)
        names = ", ".join(sorted(there)[:20]) or "none"
        raise Refused(f"{registry.url} has no subject {subject}; it has {names}. Name one: --subject SUBJECT.")
    return found


def latest_if_any(registry: SchemaRegistry, subject: str) -> SchemaText | None:
    """The schema of the subject's latest version; None if there is no such subject."""
    client = _client(registry)
    try:
        found = _ask(registry, lambda: client.get_version(subject, "latest", fmt=_SERIALISED))
    except LookupError:
        return None
    return _text(registry, found.schema_id, found.schema)


@lru_cache(MOST_SCHEMAS)
def _schema(registry: SchemaRegistry, schema_id: int) -> SchemaText:
    """Raises LookupError, which is not kept, if there is none."""
    client = _client(registry)
    return _text(registry, schema_id, _ask(registry, lambda: client.get_schema(schema_id, fmt=_SERIALISED)))


def _text(registry: SchemaRegistry, schema_id: int, schema: Any) -> SchemaText:
    """With the schemas that it names."""
    client, references = _client(registry), []
    for each in schema.references or ():
        found = _ask(registry, partial(client.get_version, each.subject, each.version, True, _SERIALISED))
        references.append((each.name, _text(registry, found.schema_id, found.schema)))
    return SchemaText(schema_id, schema.schema_type, schema.schema_str, tuple(references))


@lru_cache(8)
def _client(registry: SchemaRegistry) -> Any:
    """Raises Refused if the libraries, or a secret, are not there."""
    try:
        from confluent_kafka.schema_registry import SchemaRegistryClient
    except ImportError:
        raise Refused(
            "a schema registry needs libraries that are not installed: pip install 'headrace[registry]'."
        ) from None
    try:
        return SchemaRegistryClient(registry.for_client())
    except (OSError, KeyError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.args[0]
        raise Refused(f"a secret or a file of [schema_registry] cannot be read: {reason}.") from None


def _ask(registry: SchemaRegistry, question: Callable[[], Any]) -> Any:
    """The answer. Raises LookupError if the registry has no such thing, Refused if it does not answer."""
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    try:
        return question()
    except SchemaRegistryError as error:
        if error.http_status_code == 404:
            raise LookupError from None
        if error.http_status_code in (401, 403):
            raise Refused(
                f"the schema registry {registry.url} does not let {registry.username or 'this client'} in, or "
                "not read: mend [schema_registry] in the places file."
            ) from None
        raise Refused(f"the schema registry {registry.url} answers with HTTP {error.http_status_code}.") from None
    except Exception as error:  # of the HTTP library, whichever the client uses
        raise Refused(
            f"the schema registry {registry.url} does not answer ({type(error).__name__}). Is it running, and is "
            "[schema_registry] right? Nothing of the batch was written: run again."
        ) from None
