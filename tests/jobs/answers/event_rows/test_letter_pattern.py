"""Patterns mean what they mean to Python's `re`, and what they must not have is refused by its place."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers import sequences
from jobs.answers.event_rows import letter_pattern
from jobs.running.errors import Mistake

ATOMS = st.sampled_from(["a", "b", "c", ".", "[ab]", "[c]"])
QUANTIFIERS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "{2,3}", "*?", "+?", "??", "{1,2}?"])


def quantified(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    rows = st.lists(st.tuples(parts, QUANTIFIERS).map("".join), min_size=1, max_size=3).map("".join)
    return st.lists(rows, min_size=1, max_size=2).map(lambda branches: f"({'|'.join(branches)})")


@settings(max_examples=300, deadline=None)
@given(st.recursive(ATOMS, quantified, max_leaves=6), st.text("abc", min_size=1, max_size=12))
def test_matches_are_those_of_python(pattern: str, text: str) -> None:
    try:
        translated = letter_pattern.to_re2("Sequences", pattern, "abc")
    except Mistake:
        return
    expected = [(match.start(), match.end() - 1) for match in re.finditer(pattern, text)]
    firsts, lasts = sequences.matches(translated, np.frombuffer(text.encode(), np.uint8), np.array([0]))
    assert list(zip(firsts.tolist(), lasts.tolist(), strict=True)) == expected


@pytest.mark.parametrize(
    "pattern", ["f{5,}s", "(fs)+", "f+(s|r)f*", "(f|s){2,3}r?", "f.*?s", "[fs]{0,3}r", "(f?s){1,4}"]
)
def test_what_is_harmless_is_taken(pattern: str) -> None:
    assert letter_pattern.to_re2("Sequences", pattern, "fsr")


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("", "the pattern is ''"),
        ("(f*)*s", r"has \* after a group that itself repeats without end \(character 5\)"),
        ("(f+s)?r", r"\? after a group that itself repeats without end"),
        ("(fs*)+r", r"\+ after a group that itself repeats without end"),
        ("(f+){2}", r"\{2\} after a group that itself repeats"),
        ("(f?)+s", r"\+ after a group that itself may be nothing"),
        ("f.*s|f", r"alternatives one of which repeats without end \(character 1\)"),
        ("s(f|r+)", r"alternatives one of which repeats without end \(character 3\)"),
        ("f*", "matches no event at all, too"),
        ("f?s{0,2}", "matches no event at all, too"),
        ("f|s?", "matches no event at all, too"),
        ("f|", r"nothing where letters are expected \(character 3\)"),
        ("()", "nothing where letters"),
        ("(f", r"a \( without its \) \(character 1\)"),
        ("f)", r"a \) without its \( \(character 2\)"),
        ("fx", "'x', which is no letter \\(character 2\\). It takes f, s, r and"),
        ("f++", r"'\+', which is no letter"),
        ("f**", "which is no letter"),
        ("f{2}{3}", "which is no letter"),
        ("+f", "which is no letter"),
        ("f{s", "'{', which is no letter"),
        ("f{,2}", "'{', which is no letter"),
        ("^f", "which is no letter"),
        ("f$", "which is no letter"),
        ("f\\n", "which is no letter"),
        ("f\n", "which is no letter"),
        (r"(f)\1", "which is no letter"),
        ("(?=f)s", "which is no letter"),
        ("(?i)f", "which is no letter"),
        ("[^f]", "which is no letter"),
        ("[f-s]", "which is no letter"),
        ("[]", "which is no letter"),
        ("[f", "the end, which is no letter"),
        ("f{3,2}", "repeats nothing"),
        ("f{0}s", "repeats nothing"),
        ("f{1001}", "more than 1,000 letters"),
        ("(f{40}){40}", "more than 1,000 letters"),
        ("f{600}s{600}", "more than 1,000 letters"),
        ("f{99999999}", "which is no letter"),
        ("(" * 30 + "f" + ")" * 30, "more than 20 groups"),
    ],
)
def test_what_a_pattern_must_not_have_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(Mistake, match=message) as error:
        letter_pattern.to_re2("Sequences", pattern, "fsr")
    assert str(error.value).startswith("Sequences: the pattern ") and "\n" not in str(error.value).replace(pattern, "")


def test_the_longest_pattern_is_one_that_arrow_takes() -> None:
    letters = np.full(2_000, ord("f"), np.uint8)
    for pattern in ("f{1000}", "f{999,}", "(f{20}){50}", "(" * 20 + "f" + ")" * 20):
        assert len(sequences.matches(letter_pattern.to_re2("S", pattern, "fs"), letters, np.array([0]))[0])
