"""What rules are made of, once they are parsed: terms about one field each, joined by "every" and "either".

A term is met or not. SQL has a third answer, unknown, when a value is null. But only rules that are true count, so each
`not` is moved inwards to the terms, which three-valued logic allows: `not (a and b)` is `not a or not b`, and the
opposite of a term about a field is another term about it that a null does not meet either.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True, slots=True)
class Range:
    """The value is between two bounds, or outside of them; None: no bound; without any: it is not null."""

    field: str
    low: Any = None
    high: Any = None
    is_low_open: bool = False
    """Whether `low` itself is not in it."""
    is_high_open: bool = False
    is_outside: bool = False

    @property
    def is_point(self) -> bool:
        """Whether it asks for one value."""
        return self.low is not None and self.low == self.high and not (self.is_low_open or self.is_high_open)


@dataclass(frozen=True, slots=True)
class Among:
    """The value is one of these, or none of them."""

    field: str
    values: tuple[Any, ...]
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Missing:
    """The value is null."""

    field: str


@dataclass(frozen=True, slots=True)
class Phrase:
    """The text has these words side by side, or has not."""

    field: str
    words: tuple[str, ...]
    is_outside: bool = False


@dataclass(frozen=True, slots=True)
class Every:
    """All of these are met."""

    terms: tuple["Term", ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one of these is met."""

    terms: tuple["Term", ...]


Leaf = Range | Among | Missing | Phrase
Term = Leaf | Every | Either


def opposite(leaf: Leaf) -> Leaf:
    """The term that is met where this one is false; a null meets neither, but for `is null` and `is not null`."""
    if isinstance(leaf, Missing):
        return Range(leaf.field)
    if isinstance(leaf, Range) and leaf.low is None and leaf.high is None:
        return Missing(leaf.field)
    return replace(leaf, is_outside=not leaf.is_outside)


def every(terms: Iterable[Term]) -> Term:
    """All of these."""
    flat = [inner for term in terms for inner in (term.terms if isinstance(term, Every) else (term,))]
    return flat[0] if len(flat) == 1 else Every(tuple(flat))


def either(terms: Iterable[Term]) -> Term:
    """One of these; several values of one field become a list of values, as candidates are looked up by it."""
    rest: list[Term] = []
    values: dict[str, dict[Any, None]] = {}
    for term in (inner for each in terms for inner in (each.terms if isinstance(each, Either) else (each,))):
        if isinstance(term, Range) and term.is_point and not term.is_outside:
            values.setdefault(term.field, {})[term.low] = None
        elif isinstance(term, Among) and not term.is_outside:
            values.setdefault(term.field, {}).update(dict.fromkeys(term.values))
        else:
            rest.append(term)
    lists = [among(field, tuple(given)) for field, given in values.items()]
    return lists[0] if len(lists) == 1 and not rest else Either((*lists, *rest))


def among(field: str, values: tuple[Any, ...]) -> Leaf:
    """One of these values; the plainer term if there is one."""
    distinct = tuple(dict.fromkeys(values))
    return Range(field, distinct[0], distinct[0]) if len(distinct) == 1 else Among(field, distinct)


def leaves(term: Term) -> list[Leaf]:
    """All terms about a field in it, from left to right."""
    if isinstance(term, Every | Either):
        return [leaf for inner in term.terms for leaf in leaves(inner)]
    return [term]
