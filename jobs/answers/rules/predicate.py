"""The text of a rule as terms about the values of fields. It is never run as SQL."""

from collections.abc import Mapping
from typing import Any

from pyspark.sql.types import DataType, StringType

from jobs.answers.rules import grammar, literals, terms, words
from jobs.answers.rules.bounds import MOST_WORDS
from jobs.answers.rules.grammar import Node
from jobs.answers.rules.rule_fault import RuleFault
from jobs.answers.rules.terms import Leaf, Missing, Phrase, Range, Term
from jobs.answers.rules.tokens import Token, tokens

_SEARCHES = ("%", "_", "\\")
"""What LIKE gives a meaning to."""


def parse(rule: str, fields: Mapping[str, DataType]) -> Term:
    """The terms of a rule about these fields, whose types literals.is_usable. Raises RuleFault, with the column."""
    pieces = tokens(rule, fields)
    return _Reader(pieces, fields).term(grammar.parse(pieces), False)


class _Reader:
    """Turns the parts of a rule into terms. `is_negated`: the opposite of the part is wanted."""

    def __init__(self, pieces: list[Token], fields: Mapping[str, DataType]) -> None:
        self._pieces, self._fields = pieces, fields

    def term(self, node: Node, is_negated: bool) -> Term:
        """The terms of a part and of all below it."""
        if node.kind == "not":
            return self.term(node.nodes[0], not is_negated)
        if node.kind in ("and", "or"):
            inner = [self.term(each, is_negated) for each in node.nodes]
            return terms.every(inner) if (node.kind == "and") != is_negated else terms.either(inner)
        leaf = self._leaf(node)
        return terms.opposite(leaf) if is_negated != node.is_negated else leaf

    def _leaf(self, node: Node) -> Leaf:
        field = self._pieces[node.field].value
        match node.kind:
            case "=" | "<>":
                value = self._value(field, node.values[0])
                return Range(field, value, value, is_outside=node.kind == "<>")
            case "<" | "<=":
                return Range(field, high=self._value(field, node.values[0]), is_high_open=node.kind == "<")
            case ">" | ">=":
                return Range(field, low=self._value(field, node.values[0]), is_low_open=node.kind == ">")
            case "between":
                return Range(field, *(self._value(field, place) for place in node.values))
            case "in":
                row = [literal for place in node.values for literal in grammar.literals(self._pieces, place)]
                return terms.among(field, tuple(literals.value(literal, self._fields[field]) for literal in row))
            case "like":
                return self._prefix(node)
            case "is null":
                return Missing(field)
        return self._phrase(node)

    def _value(self, field: str, place: int) -> Any:
        return literals.value(self._literal(place), self._fields[field])

    def _prefix(self, node: Node) -> Range:
        field, pattern = self._text(node.field, node.values[0], "like")
        prefix = pattern.value[:-1]
        if not prefix or pattern.value[-1] != "%" or any(sign in prefix for sign in _SEARCHES):
            raise RuleFault(pattern.column, "like takes a beginning and one % after it, such as 'AB%', and no _ or \\")
        return Range(field, prefix, _after(prefix), is_high_open=True)

    def _phrase(self, node: Node) -> Phrase:
        function = self._pieces[node.field].value
        field, text = self._text(node.values[0], node.values[1], function)
        found = words.words(text.value)
        if function == "contains" and len(found) != 1:
            raise RuleFault(text.column, f"contains takes one word, and this has {len(found)}: use contains_phrase")
        if not 1 <= len(found) <= MOST_WORDS:
            raise RuleFault(text.column, f"contains_phrase takes 1 to {MOST_WORDS} words, and this has {len(found)}")
        return Phrase(field, tuple(found))

    def _text(self, field: int, value: int, user: str) -> tuple[str, Token]:
        """The field, and the text that `user` takes beside it."""
        of_field, literal = self._pieces[field], self._literal(value)
        if self._fields[of_field.value] != StringType():
            raise RuleFault(of_field.column, f"{user} takes a field of texts, and {of_field.value} is none")
        if literal.kind != "text":
            raise RuleFault(literal.column, f"{user} takes a text in single quotes")
        return of_field.value, literal

    def _literal(self, place: int) -> Token:
        """The literal at this place, which has no others beside it."""
        row = grammar.literals(self._pieces, place)
        if len(row) > 1:
            raise RuleFault(row[1].column, "several values where one is expected")
        return row[0]


def _after(prefix: str) -> str | None:
    """The least text after all that begin with the prefix, in the order of code points; None: there is none."""
    stem = prefix.rstrip("\U0010ffff")
    if not stem:
        return None
    last = ord(stem[-1]) + 1
    return stem[:-1] + chr(0xE000 if last == 0xD800 else last)
