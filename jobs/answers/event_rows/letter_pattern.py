"""Regular expressions over the letters of events: what they may have, and the text that Arrow's RE2 takes.

They have letters, `.` for any one letter, `[ab]` for one of several, `( )`, `|`, and the quantifiers `*`, `+`, `?`,
`{m}`, `{m,}` and `{m,n}`, each with a `?` after it for as few as possible. Nothing else: no backreference, no
lookaround, no anchor.

RE2 takes time in proportion to the text, for one search. But a pattern such as `a.*z|a` would look for a z up to the
end of the text at each a. So what repeats without end may neither be repeated again, nor be optional, nor be one of
several alternatives. (Python's `re` would take time by the square of the text even for
`a+z`, where no z comes.)
"""

import re
from dataclasses import dataclass

from jobs.running.errors import Mistake

MOST_LETTERS = 1_000
"""Of a pattern whose repetitions are written out."""
DEEPEST = 20
"""Groups within each other."""

_QUANTIFIER = re.compile(r"(?:[*+?]|\{([0-9]{1,6})(?:(,)([0-9]{0,6}))?\})\??")


@dataclass(frozen=True)
class _Part:
    """A piece of a pattern."""

    text: str
    """As RE2 takes it."""
    size: int = 1
    """How many letters it has, with its repetitions written out."""
    may_be_nothing: bool = False
    is_endless: bool = False
    """Whether something in it repeats without end."""


def to_re2(owner: str, pattern: str, letters: str) -> str:
    """The pattern as RE2 takes it. Raises Mistake for what it must not have; `owner` is named first."""
    if not isinstance(pattern, str) or not pattern:
        raise Mistake(f'{owner}: the pattern is {pattern!r}; write one of letters, such as "f{{5,}}s"')
    part = _Reader(owner, pattern, letters).whole()
    if part.may_be_nothing:
        raise Mistake(f"{owner}: the pattern {pattern} matches no event at all, too. Let it have one at least: + for *")
    return part.text


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, owner: str, pattern: str, letters: str) -> None:
        self._owner, self._pattern, self._letters = owner, pattern, letters
        self._at, self._depth = 0, 0

    def whole(self) -> _Part:
        """All of the pattern."""
        part = self._alternatives()
        if self._at < len(self._pattern):
            raise self._mistake("a ) without its (", "Remove it, or open the group")
        return part

    def _alternatives(self) -> _Part:
        begin = self._at
        branches = [self._row()]
        while self._next() == "|":
            self._at += 1
            branches.append(self._row())
        if len(branches) == 1:
            return branches[0]
        if any(branch.is_endless for branch in branches):
            self._at = begin
            raise self._mistake(
                "alternatives one of which repeats without end",
                "Bound it, such as a{1,50} for a+, or make an answer of each alternative",
            )
        nothing = any(branch.may_be_nothing for branch in branches)
        return self._part("|".join(b.text for b in branches), sum(b.size for b in branches), nothing, False)

    def _row(self) -> _Part:
        """What stands side by side."""
        parts = []
        while self._next() not in ("", "|", ")"):
            parts.append(self._repetition(self._atom()))
        if not parts:
            raise self._mistake("nothing where letters are expected", "Write the alternative, or ? after what may lack")
        text, size = "".join(part.text for part in parts), sum(part.size for part in parts)
        nothing, endless = all(p.may_be_nothing for p in parts), any(p.is_endless for p in parts)
        return self._part(text, size, nothing, endless)

    def _atom(self) -> _Part:
        """A letter, any letter, one of several, or a group."""
        character = self._next()
        if character == "(":
            return self._group()
        if character == "[":
            return self._choice()
        if character == ".":
            self._at += 1
            return _Part(f"[{self._letters}]")
        return _Part(self._letter())

    def _letter(self) -> str:
        character = self._next()
        if character not in self._letters or not character:
            known = ", ".join(self._letters)
            found = f"{character!r}" if character else "the end"
            raise self._mistake(f"{found}, which is no letter", f"It takes {known} and ( ) | . [ ] * + ? {{m,n}}")
        self._at += 1
        return character

    def _choice(self) -> _Part:
        self._at += 1
        chosen = self._letter()
        while self._next() != "]":
            chosen += self._letter()
        self._at += 1
        return _Part(f"[{chosen}]")

    def _group(self) -> _Part:
        begin = self._at
        self._at += 1
        self._depth += 1
        if self._depth > DEEPEST:
            raise self._mistake(f"more than {DEEPEST} groups within each other", "Write fewer")
        part = self._alternatives()
        if self._next() != ")":
            self._at = begin
            raise self._mistake("a ( without its )", "Close the group")
        self._at += 1
        self._depth -= 1
        return _Part(f"(?:{part.text})", part.size, part.may_be_nothing, part.is_endless)

    def _repetition(self, part: _Part) -> _Part:
        """The part with the quantifier that follows it, if one does."""
        match = _QUANTIFIER.match(self._pattern, self._at)
        if not match:
            return part
        quantifier = match[0]
        least, most = _bounds(match)
        if part.is_endless or part.may_be_nothing:
            why = "repeats without end" if part.is_endless else "may be nothing"
            raise self._mistake(f"{quantifier} after a group that itself {why}", "Leave one of the quantifiers out")
        if most is not None and (most < least or most == 0):
            raise self._mistake(f"{quantifier}, which repeats nothing", "Let the second number be the larger one")
        self._at = match.end()
        size = part.size * (least + 1 if most is None else most)
        return self._part(part.text + quantifier, size, least == 0, most is None)

    def _part(self, text: str, size: int, nothing: bool, endless: bool) -> _Part:
        if size > MOST_LETTERS:
            raise self._mistake(f"more than {MOST_LETTERS:,} letters, repetitions written out", "Make them shorter")
        return _Part(text, size, nothing, endless)

    def _next(self) -> str:
        """The next character; "" at the end."""
        return self._pattern[self._at : self._at + 1]

    def _mistake(self, found: str, remedy: str) -> Mistake:
        return Mistake(f"{self._owner}: the pattern {self._pattern} has {found} (character {self._at + 1}). {remedy}")


def _bounds(match: re.Match[str]) -> tuple[int, int | None]:
    """The least and the most that a quantifier repeats; None: without end."""
    if match[1] is None:
        return {"*": (0, None), "+": (1, None), "?": (0, 1)}[match[0][0]]
    least = int(match[1])
    if match[2] is None:
        return least, least
    return least, int(match[3]) if match[3] else None
