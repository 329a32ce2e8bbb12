"""How the tokens of a rule belong together: sqlglot says it, and sees none of the user's text.

It is given the shape of the rule: each name and each literal is replaced by the place of its token, so
`city = 'Rome' and rooms > 2` becomes `f0 = 2 AND f4 > 6`. A row of literals, as a list has them, is given as one. Rules
that differ only in fields and values have one shape, which is parsed once.

What comes back is looked up in an allow-list, node by node, with what each may have in it.
"""

from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from jobs.answers.rules.bounds import DEEPEST
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.tokens import LITERALS, Token

_SHAPES = 1_000
"""Shapes that are remembered; one has 10,000 characters at most."""
_NAMES = {"field": "f", "function": "c"}
"""How a name of each kind begins in a shape."""
_COMPARISONS: dict[type[exp.Expr], tuple[str, str]] = {
    exp.EQ: ("=", "="),
    exp.NEQ: ("<>", "<>"),
    exp.LT: ("<", ">"),
    exp.LTE: ("<=", ">="),
    exp.GT: (">", "<"),
    exp.GTE: (">=", "<="),
}
"""Comparisons, and what they are with their sides exchanged."""


@dataclass(frozen=True, slots=True)
class Node:
    """A part of a rule."""

    kind: str
    """"and", "or", "not"; a comparison; "between", "in", "like", "is null", "function"."""
    nodes: tuple["Node", ...] = ()
    """What is joined, or negated."""
    field: int = -1
    """The place of the token of the field that a term is about; of a function, its own."""
    values: tuple[int, ...] = ()
    """The places of the literals; where there may be a row of them, of its first."""
    is_negated: bool = False


class _ShapeFault(Exception):
    """A shape that is no rule: what is wrong, and the place of the token at which it is; -1: it is not known."""

    def __init__(self, place: int, what: str) -> None:
        super().__init__(what)
        self.place = place


def parse(pieces: list[Token]) -> Node:
    """The parts of a rule, with places in `pieces`. Raises RuleFault."""
    shape, places = _shape(pieces)
    tree, fault = _tree(" ".join(shape))
    if tree is not None:
        return tree
    assert fault is not None
    if isinstance(fault, _ShapeFault):
        raise RuleFault(pieces[max(fault.place, 0)].column, str(fault))
    starts = list(accumulate((len(word) + 1 for word in shape), initial=0))
    place = places[min(max(bisect_right(starts, fault) - 1, 0), len(places) - 1)]
    raise RuleFault(pieces[place].column, "the rule cannot be understood from about here on")


def literals(pieces: list[Token], place: int) -> list[Token]:
    """The row of literals, with commas between, that begins at this place."""
    row = [pieces[place]]
    while place + 2 < len(pieces) and pieces[place + 1].value == "," and _are_literals(pieces, place, place + 2):
        place += 2
        row.append(pieces[place])
    return row


def _are_literals(pieces: list[Token], first: int, second: int) -> bool:
    """Whether both are values; a comma that stands in a text is no sign."""
    return pieces[first + 1].kind == "sign" and pieces[first].kind in LITERALS and pieces[second].kind in LITERALS


def _shape(pieces: list[Token]) -> tuple[list[str], list[int]]:
    """What sqlglot sees, word by word, and the place of the token of each word."""
    shape, places, place = [], [], 0
    while place < len(pieces):
        piece = pieces[place]
        places.append(place)
        if piece.kind in LITERALS:
            shape.append(str(place))
            place += 2 * len(literals(pieces, place)) - 1
        else:
            shape.append(f"{_NAMES[piece.kind]}{place}" if piece.kind in _NAMES else piece.value.upper())
            place += 1
    return shape, places


@lru_cache(_SHAPES)
def _tree(shape: str) -> tuple[Node | None, _ShapeFault | int | None]:
    """The parts; or none, and what is wrong, or else up to which character the shape was understood."""
    try:
        return _node(sqlglot.parse_one(shape)), None
    except RecursionError:
        what = f"parentheses and nots are too deep within each other; {DEEPEST} are allowed"
        return None, _ShapeFault(-1, what)
    except _ShapeFault as fault:
        return None, fault.with_traceback(None)
    except SqlglotError as error:
        found = (getattr(error, "errors", None) or [{}])[0].get("col")
        return None, int(found or 1) - 1


def _node(node: exp.Expr) -> Node:
    """The part that a node is, with all below it."""
    parts = {name for name, part in node.args.items() if part}
    match node:
        case exp.Paren() if parts == {"this"}:
            return _node(node.this)
        case exp.Not() if parts == {"this"}:
            return Node("not", (_node(node.this),))
        case exp.And() | exp.Or() if parts == {"this", "expression"}:
            return Node("and" if isinstance(node, exp.And) else "or", tuple(map(_node, _sides(node))))
    return _term(node, parts)


def _term(node: exp.Expr, parts: set[str]) -> Node:
    if type(node) in _COMPARISONS and parts == {"this", "expression"}:
        kind, exchanged = _COMPARISONS[type(node)]
        if isinstance(node.this, exp.Column):
            return Node(kind, (), field := _field(node.this), (_value(node.expression, field),))
        return Node(exchanged, (), field := _field(node.expression), (_value(node.this, field),))
    match node:
        case exp.Between() if parts == {"this", "low", "high"}:
            field = _field(node.this)
            return Node("between", (), field, (_value(node.args["low"], field), _value(node.args["high"], field)))
        case exp.In() if parts == {"this", "expressions"}:
            field = _field(node.this)
            return Node("in", (), field, tuple(_value(each, field) for each in node.expressions))
        case exp.Like() if parts <= {"this", "expression", "negate"}:
            field = _field(node.this)
            return Node("like", (), field, (_value(node.expression, field),), bool(node.args.get("negate")))
        case exp.Is() if parts == {"this", "expression"} and isinstance(node.expression, exp.Null):
            return Node("is null", (), _field(node.this))
        case exp.Anonymous() if parts <= {"this", "expressions"} and _place(node, "c") is not None:
            return _function(node)
    raise _no_term(node)


def _function(node: exp.Anonymous) -> Node:
    """A function with a field and a text."""
    place = _place(node, "c")
    assert place is not None
    if len(node.expressions) != 2:
        raise _ShapeFault(place, "the function takes a field and a text, such as contains(field, 'word')")
    field = _field(node.expressions[0])
    return Node("function", (), place, (field, _value(node.expressions[1], field)))


def _field(node: exp.Expr) -> int:
    place = _place(node, "f") if isinstance(node, exp.Column) and set(node.args) == {"this"} else None
    if place is None:
        raise _no_term(node)
    return place


def _value(node: exp.Expr, field: int) -> int:
    if isinstance(node, exp.Null):
        raise _ShapeFault(field, "the field is compared with null, which no value equals: write is null")
    if not isinstance(node, exp.Literal):
        raise _ShapeFault(_first_place(node, field), "a value is expected here, or a text in single quotes")
    return int(node.name)


def _no_term(node: exp.Expr) -> _ShapeFault:
    return _ShapeFault(_first_place(node, -1), "what stands here is no term; terms are like field = 'value'")


def _first_place(node: exp.Expr, otherwise: int) -> int:
    """Of the first name or literal in a node."""
    found = (_place(inner, start) for inner in node.walk() for start in ("f", "c", ""))
    return next((place for place in found if place is not None), otherwise)


def _place(node: exp.Expr, start: str) -> int | None:
    """Which token a name or literal is that begins so; None: it is none, but a keyword that was taken for a name."""
    is_plain = isinstance(node, exp.Literal | exp.Column | exp.Anonymous)
    number = node.name.removeprefix(start) if is_plain and node.name.startswith(start) else ""
    return int(number) if number.isdigit() else None


def _sides(node: exp.Expr) -> list[exp.Expr]:
    """What a row of `and`, or of `or`, joins, from left to right. A row of a hundred is a tree a hundred deep."""
    sides, kind = [], type(node)
    while isinstance(node, kind):
        sides.append(node.expression)
        node = node.this
    return [node, *reversed(sides)]
