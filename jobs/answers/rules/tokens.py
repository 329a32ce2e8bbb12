"""The text of a rule as tokens. It takes characters of an allow-list only, and counts before anything is parsed."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

from jobs.answers.rules.bounds import DEEPEST, MOST_CHARACTERS, MOST_TERMS, MOST_VALUES
from jobs.answers.rules.rule_fault import RuleFault

Kind = Literal["field", "function", "keyword", "text", "number", "boolean", "sign"]
LITERALS = ("text", "number", "boolean")
"""Kinds of tokens that are values."""

FUNCTIONS = ("contains", "contains_phrase")
"""Functions of the language."""
KEYWORDS = ("and", "or", "not", "in", "between", "like", "is", "null")
BOOLEANS = ("true", "false")
"""Words of the language. A field with the name of one, or of a boolean, is written in double quotes."""
_NEVER_CALLED = ("like", "is", "null")
"""Keywords that a parser of SQL may take for functions if a ( follows."""
_TERMS = {"=", "<>", "!=", "<", "<=", ">", ">=", "in", "between", "like", "is", *FUNCTIONS}

_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:
    (?P<text>'(?:[^']|'')*+')
    | "(?P<quoted>(?:[^"]|"")*+)"
    | (?P<number>-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?(?![A-Za-z0-9_.]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*+)
    | (?P<sign><>|!=|<=|>=|[=<>(),])
    | (?P<end>\Z)
    | (?P<other>.)
    )""",
    re.VERBOSE | re.DOTALL,
)
"""Takes time in proportion to the text: no repetition gives back what it has taken (*+, ++)."""


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a rule."""

    kind: Kind
    value: str
    """Of a field its name, of a text what stands between its quotes, of a word of the language small letters."""
    column: int
    """Where it begins in the rule, from 1."""


def tokens(rule: str, fields: Collection[str]) -> list[Token]:
    """The tokens of a rule. Raises RuleFault for what the language does not have, and for too much of it."""
    if len(rule) > MOST_CHARACTERS:
        raise RuleFault(0, f"it has {len(rule):,} characters, and may have {MOST_CHARACTERS:,}")
    if not rule.isascii():
        _check_unicode(rule)
    names = {name.lower(): name for name in fields}
    result: list[Token] = []
    for match in _TOKEN.finditer(rule):
        kind = match.lastgroup or ""
        value, column = match[kind], match.span(kind)[0] + 1
        if kind == "end":
            break
        if kind == "other":
            raise RuleFault(column, _stray(rule, column))
        if kind == "text":
            result.append(Token("text", value[1:-1].replace("''", "'"), column))
        elif kind == "word":
            result.append(_word(value, column, names, rule[match.end() :].lstrip(" \t\r\n")[:1] == "("))
        elif kind == "quoted":
            result.append(_field(value.replace('""', '"'), column - 1, names))
        else:
            result.append(Token("number" if kind == "number" else "sign", value, column))
    if "\0" in rule:
        raise RuleFault(rule.index("\0") + 1, "a NUL")
    _check_amount(result)
    return result


def _word(word: str, column: int, names: dict[str, str], is_called: bool) -> Token:
    lowered = word.lower()
    if lowered in KEYWORDS:
        if is_called and lowered in _NEVER_CALLED:
            raise RuleFault(column, f"a ( after {lowered}, which takes none")
        return Token("keyword", lowered, column)
    if lowered in BOOLEANS:
        return Token("boolean", lowered, column)
    if is_called:
        if lowered in FUNCTIONS:
            return Token("function", lowered, column)
        raise RuleFault(column, f"a function that rules do not have; they have {' and '.join(FUNCTIONS)}")
    return _field(word, column, names)


def _field(name: str, column: int, names: dict[str, str]) -> Token:
    if name.lower() in names:
        return Token("field", names[name.lower()], column)
    raise RuleFault(column, f"a name that is no field of a rule. The fields are {', '.join(names.values())}")


def _stray(rule: str, column: int) -> str:
    """What is wrong with a character that no token begins with."""
    character = rule[column - 1]
    if character in "'\"":
        return f"a {character} that is not closed"
    if character.isdigit() or character == "-":
        return "what begins like a number and is none; numbers are written like -12, 0.5 or 1e6"
    return "a character that rules have in quoted texts only"


def _check_unicode(rule: str) -> None:
    for place, character in enumerate(rule):
        if "\ud800" <= character <= "\udfff":
            raise RuleFault(place + 1, "half a character (a surrogate)")


def _check_amount(pieces: list[Token]) -> None:
    """Raises RuleFault if there are too many terms or literals, or they are too deep within each other."""
    terms = values = depth = nots = 0
    levels: list[int] = []
    for piece in pieces:
        terms += piece.kind != "text" and piece.value in _TERMS
        values += piece.kind in LITERALS
        if piece.kind == "keyword" and piece.value == "not":
            nots += 1
        elif piece.kind == "sign" and piece.value == "(":
            levels.append(nots + 1)
            depth, nots = depth + nots + 1, 0
        elif piece.kind == "sign" and piece.value == ")":
            depth, nots = depth - (levels.pop() if levels else 0), 0
        else:
            nots = 0
        if depth + nots > DEEPEST:
            raise RuleFault(piece.column, f"more than {DEEPEST} parentheses and nots within each other")
        if terms > MOST_TERMS:
            raise RuleFault(piece.column, f"the rule has more than {MOST_TERMS} terms")
        if values > MOST_VALUES:
            raise RuleFault(piece.column, f"the rule has more than {MOST_VALUES:,} values")
    if not terms:
        raise RuleFault(1, "the rule has no term, such as field = 'value'")
