"""What a word is, and which texts have which phrases: both ways to find them agree."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jobs.answers.rules.words import postings, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Sunny FLAT, near the lake!", ["sunny", "flat", "near", "the", "lake"]),
        ("don't x_y e-mail", ["don", "t", "x", "y", "e", "mail"]),
        ("3 rooms, 80m2", ["3", "rooms", "80m2"]),
        ("CAFÉ cafe\u0301", ["café", "café"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ﬁne Ⅳ \uff12", ["fine", "iv", "2"]),
        ("ΣΊΣΥΦΟΣ σίσυφος", ["σίσυφοσ", "σίσυφοσ"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("\u0301accent alone", ["accent", "alone"]),
        ("東京 タワー", ["東京", "タワー"]),
        ("a\u00a0b\u200bc\0d", ["a", "b", "c", "d"]),
    ],
)
def test_words_of_a_text(text: str, expected: list[str]) -> None:
    assert words(text) == expected


PIECES = st.sampled_from(["a", "b", "A", "É", "e\u0301", "ß", " ", "-", "_", "\0", "1", "", "a b", "\u0301", "東"])
TEXTS = st.lists(PIECES, max_size=8).map("".join)
PHRASES = st.lists(st.sampled_from(["a", "b", "é", "ss", "1", "ab", "nowhere"]), min_size=1, max_size=3).map(tuple)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=8), st.lists(PHRASES, max_size=5, unique=True), st.integers(0, 3))
def test_postings_are_the_texts_whose_words_have_the_phrase(
    texts: list[str | None], phrases: list[tuple[str, ...]], cut: int
) -> None:
    """However the column is cut into chunks, one of which does not begin at the start of its buffers."""
    column = pa.chunked_array([texts[:cut], pa.array(["x", *texts[cut:]], pa.string()).slice(1)], pa.string())
    found = postings(column, phrases)
    for place, phrase in enumerate(phrases):
        expected = [
            n for n, text in enumerate(texts)
            if any(tuple(words(text or "")[at : at + len(phrase)]) == phrase for at in range(len(words(text or ""))))
        ]  # fmt: skip
        assert found.texts[found.starts[place] : found.starts[place + 1]].tolist() == expected
