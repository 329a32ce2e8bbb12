"""How long a broker is waited for, and what it has answered to the command that is looking at the log.

Within `ask_once` a broker has 5 seconds for each answer. One that has not given an answer is not asked again, and no
question is asked twice.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from jobs.running import one_look
from jobs.running.errors import Refused
from jobs.running.kafka_access import Kafka

TIMEOUT_SECONDS = 30.0
"""How long a broker may take to answer a run, or a command that writes."""
LOOK_SECONDS = 5.0
"""How long it may take to answer a command that looks."""

Answer = TypeVar("Answer")
Arguments = ParamSpec("Arguments")


@dataclass
class _Look:
    announce: Callable[[str], None]
    announced: set[str] = field(default_factory=set)
    faults: dict[str, Refused] = field(default_factory=dict)
    """By servers, why they did not answer."""
    answers: dict[Hashable, Any] = field(default_factory=dict)


_look: ContextVar[_Look | None] = ContextVar("look", default=None)


@contextmanager
def ask_once(announce: Callable[[str], None]) -> Iterator[None]:
    """While it lasts, brokers have LOOK_SECONDS to answer, and are asked each question once. `announce` gets a line
    about each broker before it is asked for the first time.
    """
    token = _look.set(_Look(announce))
    try:
        with one_look.look():
            yield
    finally:
        _look.reset(token)


def timeout_seconds() -> float:
    """How long a broker may take to answer now."""
    return TIMEOUT_SECONDS if _look.get() is None else LOOK_SECONDS


def begin(kafka: Kafka) -> None:
    """Before a broker is asked: raises what `give_up` was told of it in the same `ask_once`."""
    look = _look.get()
    if look is None:
        return
    if kafka.servers in look.faults:
        raise look.faults[kafka.servers]
    if kafka.servers not in look.announced:
        look.announced.add(kafka.servers)
        look.announce(f"asking the broker {kafka.servers}, for {LOOK_SECONDS:.0f} seconds at most")


def give_up(kafka: Kafka, fault: Refused) -> Refused:
    """Within `ask_once` the broker is not asked again. Returns `fault`."""
    look = _look.get()
    if look is not None:
        look.faults[kafka.servers] = fault
    return fault


def remember(ask: Callable[Arguments, Answer]) -> Callable[Arguments, Answer]:
    """A question to a broker, whose first argument is a Kafka, that is asked once within `ask_once`."""

    @wraps(ask)
    def ask_or_recall(*arguments: Arguments.args, **named: Arguments.kwargs) -> Answer:
        look = _look.get()
        if look is None:
            return ask(*arguments, **named)
        kafka, *about = arguments
        question = (ask.__module__, ask.__name__, cast(Kafka, kafka).servers, *about, *named.items())
        if question not in look.answers:
            try:
                look.answers[question] = ask(*arguments, **named)
            except Refused as refused:
                look.answers[question] = refused
        answer = look.answers[question]
        if isinstance(answer, Refused):
            raise answer
        return cast(Answer, answer)

    return ask_or_recall
