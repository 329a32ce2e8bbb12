"""How the tokens of a rule belong together: sqlglot says it, and sees none of the user's text.

It is given the shape of the rule: each name and each literal is replaced by the place of its token, so
`city = 'Rome' and rooms > 2` becomes `t0 = 2 AND t4 > 6`. A row of literals, as a list has them, is given as one. Rules
that differ only in names and values have one shape, which is parsed once.
"""

from bisect import bisect_right
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


def parse(pieces: list[Token]) -> exp.Expr:
    """The tree of the rule, with places in `pieces` for names (t4) and literals (6). Raises RuleFault."""
    shape, places = _shape(pieces)
    tree, reached = _tree(" ".join(shape))
    if tree is not None:
        return tree
    if reached is None:
        raise RuleFault(1, f"parentheses and nots are too deep within each other; {DEEPEST} are allowed")
    starts = list(accumulate((len(word) + 1 for word in shape), initial=0))
    place = places[min(max(bisect_right(starts, reached) - 1, 0), len(places) - 1)]
    raise RuleFault(pieces[place].column, "the rule cannot be understood from about here on")


def is_literal(token: Token) -> bool:
    """Whether it is a value."""
    return token.kind in LITERALS


def literals(pieces: list[Token], place: int) -> list[Token]:
    """The row of literals, with commas between, that begins at this place."""
    row = [pieces[place]]
    while place + 2 < len(pieces) and pieces[place + 1].value == "," and _are_literals(pieces, place, place + 2):
        place += 2
        row.append(pieces[place])
    return row


def _are_literals(pieces: list[Token], first: int, second: int) -> bool:
    """Whether both are values; a comma that stands in a text is no sign."""
    return pieces[first + 1].kind == "sign" and is_literal(pieces[first]) and is_literal(pieces[second])


def _shape(pieces: list[Token]) -> tuple[list[str], list[int]]:
    """What sqlglot sees, word by word, and the place of the token of each word."""
    shape, places, place = [], [], 0
    while place < len(pieces):
        piece = pieces[place]
        shape.append(_word(piece, place))
        places.append(place)
        place += 2 * len(literals(pieces, place)) - 1 if is_literal(piece) else 1
    return shape, places


def _word(piece: Token, place: int) -> str:
    if is_literal(piece):
        return str(place)
    return f"t{place}" if piece.kind in ("field", "function") else piece.value.upper()


@lru_cache(_SHAPES)
def _tree(shape: str) -> tuple[exp.Expr | None, int | None]:
    """The tree; or none, and how far it was understood: at which character, None if it was too deep."""
    try:
        return sqlglot.parse_one(shape), 0
    except RecursionError:
        return None, None
    except SqlglotError as error:
        found = (getattr(error, "errors", None) or [{}])[0].get("col")
        return None, int(found or 1) - 1
