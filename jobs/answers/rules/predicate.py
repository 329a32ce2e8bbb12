"""The text of a rule as terms: what the language allows, and nothing else.

The text is never run as SQL. Each node of the parser's tree is looked up in an allow-list, with what it may have in it.
"""

from collections.abc import Mapping
from typing import Any

from pyspark.sql.types import DataType, StringType
from sqlglot import exp

from jobs.answers.rules import grammar, literals, terms, words
from jobs.answers.rules.bounds import MOST_WORDS
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.terms import Leaf, Missing, Phrase, Range, Term
from jobs.answers.rules.tokens import Token, tokens

_FLIPPED: dict[type[exp.Expr], type[exp.Expr]] = {
    exp.LT: exp.GT,
    exp.LTE: exp.GTE,
    exp.GT: exp.LT,
    exp.GTE: exp.LTE,
    exp.EQ: exp.EQ,
    exp.NEQ: exp.NEQ,
}
"""Comparisons, and what they are with their sides exchanged."""
_SEARCHES = ("%", "_", "\\")
"""What LIKE gives a meaning to."""


def parse(rule: str, fields: Mapping[str, DataType]) -> Term:
    """The terms of a rule about these fields, whose types literals.is_usable. Raises RuleFault, with the column."""
    pieces = tokens(rule, fields)
    return _Reader(pieces, fields).term(grammar.parse(pieces), False)


class _Reader:
    """Turns the nodes of a tree into terms. `is_negated`: the opposite of the node is wanted."""

    def __init__(self, pieces: list[Token], fields: Mapping[str, DataType]) -> None:
        self._pieces, self._fields = pieces, fields

    def term(self, node: exp.Expr, is_negated: bool) -> Term:
        """The terms of a node and of all below it."""
        parts = {name for name, part in node.args.items() if part not in (None, [], False)}
        match node:
            case exp.Paren() if parts == {"this"}:
                return self.term(node.this, is_negated)
            case exp.Not() if parts == {"this"}:
                return self.term(node.this, not is_negated)
            case exp.And() | exp.Or() if parts == {"this", "expression"}:
                inner = [self.term(each, is_negated) for each in _sides(node)]
                return terms.every(inner) if isinstance(node, exp.And) != is_negated else terms.either(inner)
        leaf = self._leaf(node, parts)
        return terms.opposite(leaf) if is_negated else leaf

    def _leaf(self, node: exp.Expr, parts: set[str]) -> Leaf:
        if type(node) in _FLIPPED and parts == {"this", "expression"}:
            return self._comparison(node)
        match node:
            case exp.Between() if parts == {"this", "low", "high"}:
                field = self._field(node.this)
                return Range(field.value, self._value(field, node.args["low"]), self._value(field, node.args["high"]))
            case exp.In() if parts == {"this", "expressions"}:
                return self._list(node)
            case exp.Like() if parts <= {"this", "expression", "negate"}:
                prefix = self._prefix(node)
                return terms.opposite(prefix) if node.args.get("negate") else prefix
            case exp.Is() if parts == {"this", "expression"} and isinstance(node.expression, exp.Null):
                return Missing(self._field(node.this).value)
            case exp.Anonymous() if parts == {"this", "expressions"} and _has_place(node):
                return self._contains(node)
        raise self._fault(node)

    def _comparison(self, node: exp.Expr) -> Leaf:
        kind, left, right = type(node), node.this, node.expression
        if not isinstance(left, exp.Column):
            kind, left, right = _FLIPPED[kind], right, left
        field = self._field(left)
        value = self._value(field, right)
        if kind in (exp.EQ, exp.NEQ):
            return Range(field.value, value, value, is_outside=kind is exp.NEQ)
        if kind in (exp.LT, exp.LTE):
            return Range(field.value, high=value, is_high_open=kind is exp.LT)
        return Range(field.value, low=value, is_low_open=kind is exp.GT)

    def _list(self, node: exp.In) -> Leaf:
        field, values = self._field(node.this), []
        for part in node.expressions:
            if not isinstance(part, exp.Literal):
                raise self._no_value(field, part)
            values += [
                self._converted_value(field, literal) for literal in grammar.literals(self._pieces, _place(part))
            ]
        return terms.among(field.value, tuple(values))

    def _prefix(self, node: exp.Like) -> Range:
        field = self._field(node.this)
        pattern = self._text(field, node.expression, "like")
        prefix = pattern.value[:-1]
        if not prefix or pattern.value[-1] != "%" or any(sign in prefix for sign in _SEARCHES):
            raise RuleFault(pattern.column, "like takes a beginning and one % after it, such as 'AB%', and no _ or \\")
        return Range(field.value, prefix, _after(prefix), is_high_open=True)

    def _contains(self, node: exp.Anonymous) -> Phrase:
        function, arguments = self._pieces[_place(node)], node.expressions
        if len(arguments) != 2:
            call = f"{function.value}(field, '...')"
            raise RuleFault(function.column, f"{function.value} takes a field and a text: {call}")
        field = self._field(arguments[0])
        text = self._text(field, arguments[1], function.value)
        found = words.words(text.value)
        if function.value == "contains" and len(found) != 1:
            raise RuleFault(text.column, f"contains takes one word, and this has {len(found)}: use contains_phrase")
        if not 1 <= len(found) <= MOST_WORDS:
            raise RuleFault(text.column, f"contains_phrase takes 1 to {MOST_WORDS} words, and this has {len(found)}")
        return Phrase(field.value, tuple(found))

    def _field(self, node: exp.Expr) -> Token:
        token = self._token(node)
        if not isinstance(node, exp.Column) or token is None or token.kind != "field":
            raise self._fault(node)
        return token

    def _text(self, field: Token, node: exp.Expr, user: str) -> Token:
        """The text that `user` takes for a field of texts."""
        if self._fields[field.value] != StringType():
            raise RuleFault(field.column, f"{user} takes a field of texts, and {field.value} is none")
        token = self._literal(field, node)
        if token.kind != "text":
            raise RuleFault(token.column, f"{user} takes a text in single quotes")
        return token

    def _value(self, field: Token, node: exp.Expr) -> Any:
        return self._converted_value(field, self._literal(field, node))

    def _converted_value(self, field: Token, literal: Token) -> Any:
        return literals.value(literal, self._fields[field.value])

    def _literal(self, field: Token, node: exp.Expr) -> Token:
        """The one literal that a node is."""
        if not isinstance(node, exp.Literal):
            raise self._no_value(field, node)
        row = grammar.literals(self._pieces, _place(node))
        if len(row) > 1:
            raise RuleFault(row[1].column, "several values where one is expected")
        return row[0]

    def _no_value(self, field: Token, node: exp.Expr) -> RuleFault:
        if isinstance(node, exp.Null):
            return RuleFault(field.column, f"{field.value} is compared with null, which no value equals: write is null")
        token = self._token(node) or field
        return RuleFault(token.column, f"{field.value} is compared with what is no value")

    def _token(self, node: exp.Expr) -> Token | None:
        """The token of a name or a literal."""
        is_plain = isinstance(node, exp.Literal) or (isinstance(node, exp.Column) and set(node.args) == {"this"})
        return self._pieces[_place(node)] if is_plain and _has_place(node) else None

    def _fault(self, node: exp.Expr) -> RuleFault:
        """That the language has no such node; at the first name or literal in it."""
        for inner in node.walk():
            token = self._token(inner)
            if token:
                return RuleFault(token.column, "what stands here is no term; terms are like field = 'value'")
        return RuleFault(self._pieces[0].column, "the rule has what is no term; terms are like field = 'value'")


def _sides(node: exp.Expr) -> list[exp.Expr]:
    """What a row of `and`, or of `or`, joins, from left to right. A row of a hundred is a tree a hundred deep."""
    sides, kind = [], type(node)
    while isinstance(node, kind):
        sides.append(node.expression)
        node = node.this
    return [node, *reversed(sides)]


def _has_place(node: exp.Expr) -> bool:
    """Whether it is a name or a literal, and no keyword where the parser takes one for a name."""
    return node.name.removeprefix("t").isdigit()


def _place(node: exp.Expr) -> int:
    """Which token a name (t4) or a literal (6) is."""
    return int(node.name.removeprefix("t"))


def _after(prefix: str) -> str | None:
    """The least text after all that begin with the prefix, in the order of code points; None: there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    last = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if last == 0xD800 else last)
