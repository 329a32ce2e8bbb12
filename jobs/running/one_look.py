"""What was found while somebody looks at results is found once: a table is opened, a lock or a database asked.

Looks are nested: that of a command, or of a round of the pages, and within it that of each result. Outside of a look
all is found anew each time, as runs need it.
"""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar, cast

Found = TypeVar("Found")

_looks: ContextVar[tuple[dict[Hashable, Any], ...]] = ContextVar("looks", default=())


@contextmanager
def look() -> Iterator[None]:
    """While it lasts, `recall` finds things once. Threads share it if they run in a copy of the context."""
    token = _looks.set((*_looks.get(), {}))
    try:
        yield
    finally:
        _looks.reset(token)


def recall(key: Hashable, find: Callable[[], Found], in_all: bool = False) -> Found:
    """What `find` gives, or gave in this look under this key; `in_all`: in the outermost look, for what results share.
    What it raises is not kept.
    """
    looks = _looks.get()
    if not looks:
        return find()
    known = looks[0 if in_all else -1]
    if key not in known:
        known[key] = find()
    return cast(Found, known[key])
