"""The words of a text: runs of letters, digits and the marks on them, in Unicode, without regard to capitals.

A text is brought to one form first (NFKC, case folded), so "CAFÉ", "café" and "café" with a combining accent are one
word. An apostrophe, a hyphen and a low line end a word: "don't" has two. Where a script writes no spaces, such as
Chinese, a run of characters is one word.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_ASCII = re.compile("[0-9a-z]+")
_LAST_MARK = 0x1F000
"""Beyond it there are no marks but those that select variants of characters, from 0xE0100 on."""


def words(text: str) -> list[str]:
    """The words, in their order."""
    if text.isascii():
        return _ASCII.findall(text.lower())
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _unicode_words().findall(folded)


@cache
def _unicode_words() -> re.Pattern[str]:
    """Python's \\w is letters, digits and the low line; it leaves the marks out."""
    marks = [code for code in range(0x300, _LAST_MARK) if unicodedata.category(chr(code))[0] == "M"]
    runs = [[code for _, code in run] for _, run in groupby(enumerate(marks), lambda each: each[1] - each[0])]
    mark = f"[{''.join(f'{chr(run[0])}-{chr(run[-1])}' for run in runs)}\U000e0100-\U000e01ef]"
    return re.compile(rf"[^\W_]++(?:{mark}++[^\W_]*+)*+")


@dataclass(frozen=True)
class Postings:
    """Which texts have which phrase: those of phrase i are texts[starts[i] : starts[i + 1]], in ascending order."""

    starts: np.ndarray
    texts: np.ndarray
    pairs: np.ndarray
    """The same as phrase * number of texts + text, in ascending order."""


def postings(texts: pa.ChunkedArray, phrases: Sequence[tuple[str, ...]]) -> Postings:
    """The places of the texts that have each of these phrases; a null has none."""
    vocabulary = {word: code for code, word in enumerate(dict.fromkeys(word for one in phrases for word in one))}
    column, texts_of = _all_words(texts)
    codes = pc.index_in(column, value_set=pa.array(list(vocabulary), pa.string())).fill_null(-1)
    text_words = _TextWords(codes.to_numpy(), texts_of, len(vocabulary))
    found = [text_words.places(length, indexes, coded) for length, indexes, coded in _by_length(phrases, vocabulary)]
    phrase_of = np.concatenate([each for each, _ in found]) if found else np.empty(0, np.int64)
    text_of = np.concatenate([each for _, each in found]) if found else np.empty(0, np.int64)
    size = max(len(texts), 1)
    pairs = distinct(phrase_of * size + text_of)
    return Postings(np.searchsorted(pairs, np.arange(len(phrases) + 1) * size), pairs % size, pairs)


def _by_length(
    phrases: Sequence[tuple[str, ...]], vocabulary: dict[str, int]
) -> list[tuple[int, np.ndarray, np.ndarray]]:
    """Phrases of a length together: the length, their indexes, and the codes of their words, a row for each."""
    lengths = np.array([len(phrase) for phrase in phrases], np.int64)
    result = []
    for length in np.unique(lengths).tolist():
        indexes = np.flatnonzero(lengths == length)
        coded = [[vocabulary[word] for word in phrases[index]] for index in indexes.tolist()]
        result.append((length, indexes, np.array(coded, np.int64)))
    return result


class _TextWords:
    """The words of texts, one after the other, as codes; -1: a word that no phrase has."""

    def __init__(self, codes: np.ndarray, texts: np.ndarray, size: int) -> None:
        self._codes, self._texts = codes, texts
        known = np.flatnonzero(codes >= 0)
        self._places = known[np.argsort(codes[known], kind="stable")]
        self._counts = np.bincount(codes[known], minlength=size)
        self._starts = np.append(0, np.cumsum(self._counts))

    def places(self, length: int, indexes: np.ndarray, phrases: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """For each place where one of these phrases stands: its index, and the text. Each is looked for where its
        rarest word is.
        """
        rarest = np.argmin(self._counts[phrases], axis=1)
        anchor = phrases[np.arange(len(phrases)), rarest]
        phrase, place = slices(self._starts[anchor], self._counts[anchor])
        begin = self._places[place] - rarest[phrase]
        is_there = (begin >= 0) & (begin + length <= len(self._codes))
        phrase, begin = phrase[is_there], begin[is_there]
        for at in range(length if length > 1 else 0):
            same = self._codes[begin + at] == phrases[phrase, at]
            phrase, begin = phrase[same], begin[same]
        same = self._texts[begin] == self._texts[begin + length - 1] if length > 1 else slice(None)
        return indexes[phrase[same]], self._texts[begin[same]]


def slices(starts: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of all these slices, one after the other, and of which slice each is."""
    owner = np.repeat(np.arange(len(starts)), lengths)
    shift = starts - (np.cumsum(lengths) - lengths)
    return owner, np.arange(len(owner)) + np.repeat(shift, lengths)


def distinct(values: np.ndarray) -> np.ndarray:
    """The values in ascending order, each once. np.unique would hash them first, which takes longer."""
    ascending = np.sort(values)
    result: np.ndarray = ascending[np.append(True, ascending[1:] != ascending[:-1])[: len(ascending)]]
    return result


def _all_words(texts: pa.ChunkedArray) -> tuple[pa.Array, np.ndarray]:
    """The words of all texts, one after the other, and of which text each is.

    Bytes that are no part of a word are cut out of the buffer of the texts; what is left lies as Arrow has texts.
    """
    column = pc.fill_null(_with_plain_words(texts.combine_chunks()), "").cast(pa.large_string())
    _, offset_buffer, data = column.buffers()
    offsets = np.frombuffer(offset_buffer, np.int64)[column.offset : column.offset + len(column) + 1]
    letters = _LOWERED[np.frombuffer(data or b"", np.uint8)[offsets[0] : offsets[-1]]]
    is_word = letters != 0
    parts = ~is_word[:-1] | ~is_word[1:] | _at(offsets[1:-1] - offsets[0], len(letters))[1:]
    begins, ends = is_word.copy(), is_word.copy()
    begins[1:] &= parts
    ends[:-1] &= parts
    begin = np.flatnonzero(begins)
    kept = np.append(0, np.cumsum(np.flatnonzero(ends) - begin + 1))
    found = pa.LargeStringArray.from_buffers(len(begin), pa.py_buffer(kept), pa.py_buffer(letters[is_word]))
    return found.cast(pa.string()), np.searchsorted(offsets - offsets[0], begin, side="right") - 1


def _at(places: np.ndarray, size: int) -> np.ndarray:
    """Which of `size` places are among these."""
    marks = np.zeros(size + 1, bool)
    marks[places] = True
    return marks[:size]


def _with_plain_words(texts: pa.Array) -> pa.Array:
    """The texts; one that is not ASCII as its words with blanks between."""
    foreign = pc.invert(pc.string_is_ascii(texts)).fill_null(False)
    if not pc.any(foreign).as_py():
        return texts
    replaced = pa.array([" ".join(words(text)) for text in texts.filter(foreign).to_pylist()], texts.type)
    return pc.replace_with_mask(texts, foreign, replaced)


def _lowered_bytes() -> np.ndarray:
    """Each byte of a word as it counts, and 0 for those that words do not have."""
    table = np.zeros(256, np.uint8)
    for byte in range(256):
        if byte >= 128 or chr(byte).isalnum():
            table[byte] = ord(chr(byte).lower()) if byte < 128 else byte
    return table


_LOWERED = _lowered_bytes()
