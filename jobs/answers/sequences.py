"""Sequences of events by a regular expression: each event is one letter, and each match is a row."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import BooleanType, LongType, StructField, StructType

from jobs.answers.event_rows import anchors, letter_pattern
from jobs.answers.event_rows.anchors import EventOrder
from jobs.answers.event_rows.event_answer import WithoutShortcuts
from jobs.events import equality
from jobs.running import durations
from jobs.running.errors import Mistake

_LASTS = ("last_time", "last_partition", "last_offset")


@dataclass(frozen=True)
class Sequences(WithoutShortcuts):
    """A row for each match of `pattern` in the letters of a group's events, in canonical order.

    Matches do not overlap, and are found from left to right as Python's `re.finditer` finds them: each as early as it
    can begin, and a quantifier takes as much as it can, with a `?` after it as little. The search starts anew

    - after a silence: the next event of the group is more than `within` later. No row could reach across one;
    - at a multiple of `restart` since 1970, but only of a run of events without a silence that began at the multiple
      before it or earlier. A match across is lost: so it can only be lost in a run longer than `restart`.

    What is searched at once is therefore shorter than two `restart`. It depends on events up to two `restart` and
    `within` before it: whether the run was that long already.

    A match that takes longer than `within` is no row, and its events are in no other: in a long run without a silence a
    greedy `+` or `.*` may take too much, and `{m,n}` or `+?` be right.

    A row is final when no event that is not late can be added to what was searched: `within` after its last event, or
    at the multiple of `restart` where the search starts anew.
    """

    pattern: str
    """A regular expression over `letters`, such as "f{5,}s"; see letter_pattern.py for what it may have."""
    letters: Mapping[str, str] = field(hash=False)
    """Boolean columns by their letter (A to Z, a to z). An event is the first letter, in this order, whose column is
    true; with none it is left out, as if it were not there."""
    by: tuple[str, ...]
    """Columns that make a group. An event with a null there is alone."""
    within: str
    """From the first to the last event of a match, at most, such as "10 minutes"."""
    restart: str = "1 day"
    """In a run of events without a silence that is longer than this the search starts anew at multiples of it since
    1970, and a match across is lost; `within` or longer."""
    name: str = ""
    """Of the answer; "": the result's own table."""
    early: bool = False
    """True: a row is shown as soon as there is a match, although further events may still change it."""

    def __post_init__(self) -> None:
        anchors.check_names(self._owner, self.by)
        object.__setattr__(self, "letters", dict(self.letters))
        for letter, column in self.letters.items():
            if not (isinstance(letter, str) and len(letter) == 1 and letter.isascii() and letter.isalpha()):
                raise Mistake(f"{self._owner}: letters has {letter!r}; take single letters from A to Z or a to z")
            if not isinstance(column, str) or not column:
                raise Mistake(f"{self._owner}: the letter {letter} has {column!r}, which is no name of a column")
        if durations.seconds(self.restart) < durations.seconds(self.within):
            raise Mistake(f"{self._owner}: restart is {self.restart}, shorter than within, {self.within}. Lengthen it")
        self._re2()

    def named(self, name: str) -> "Sequences":
        """The same in a table of its own, with this name behind the result's."""
        return replace(self, name=name)

    @property
    def _owner(self) -> str:
        return f"Sequences {self.name}" if self.name else "Sequences"

    def _re2(self) -> str:
        return letter_pattern.to_re2(self._owner, self.pattern, "".join(self.letters))

    @property
    def _within_micros(self) -> int:
        return durations.seconds(self.within) * anchors.MICROS

    @property
    def _restart_micros(self) -> int:
        return durations.seconds(self.restart) * anchors.MICROS

    @property
    def reach(self) -> tuple[int, int]:
        """Two `restart` and `within` before, two `restart` after: see above."""
        return 2 * self._restart_micros + self._within_micros, 2 * self._restart_micros

    @property
    def waits(self) -> tuple[tuple[int, int], ...]:
        """A row falls due when the silence after an event has lasted, or earlier, in microseconds."""
        return ((0, self._within_micros + 1),)

    def anchor_topic(self, topics: Mapping[str, object]) -> str:
        """The one topic."""
        (topic,) = topics
        return topic

    @property
    def key(self) -> tuple[str, ...]:
        """The group and the first event."""
        return (*self.by, *anchors.PLACE)

    def check(self, given: Mapping[str, StructType]) -> None:
        """Raises Mistake unless the columns are there, and those of the letters boolean."""
        columns = anchors.only_topic(self._owner, given)
        anchors.check_columns(self._owner, columns, (*anchors.PLACE, *self.by, *self.letters.values()))
        anchors.check_comparable(self._owner, columns, "by", self.by)
        for letter, column in self.letters.items():
            kind = columns[column].dataType
            if not isinstance(kind, BooleanType):
                raise Mistake(
                    f"{self._owner}: the letter {letter} has the column {column}, which is {kind.simpleString()}. Make "
                    f'it boolean in the transform, such as (F.col("{column}") == ...).alias("is_...")'
                )
        anchors.check_output(self._owner, self.columns(given))

    def columns(self, given: Mapping[str, StructType]) -> StructType:
        """The group, the first event, the last event, how many events, `due_time` and `final`."""
        fields = anchors.place_columns(anchors.only_topic(self._owner, given), self.by)
        fields += [StructField(name, kind) for name, kind in zip(_LASTS, anchors.PLACE_TYPES, strict=True)]
        return StructType([*fields, StructField("events", LongType()), *anchors.end_columns()])

    def rows(self, given: Mapping[str, pa.Table], complete_micros: int) -> pa.Table:
        """The matches in these events."""
        ((topic, events),) = given.items()
        kinds = from_arrow_schema(events.schema)
        letters = self._letters_of(events)
        has_letter = letters > 0
        needed = [*dict.fromkeys((*self.by, *anchors.PLACE))]
        events = equality.normalise_columns(events.select(needed).filter(pa.array(has_letter)), self.by)
        letters = letters[has_letter]
        order = anchors.event_order(events.combine_chunks(), self.by, letters)
        run_starts, pieces = self._pieces(order)
        firsts, lasts = matches(self._re2(), letters[order.rows], pieces)
        fits = order.times[lasts] - order.times[firsts] <= self._within_micros
        firsts, lasts = firsts[fits], lasts[fits]
        due = self._due(order, run_starts, pieces, firsts)
        arrays = _columns_at(events, order, firsts)
        at_last = _columns_at(events, order, lasts)
        arrays |= {last: at_last[name] for last, name in zip(_LASTS, anchors.PLACE, strict=True)}
        arrays["events"] = pa.array(lasts - firsts + 1, pa.int64())
        return anchors.to_table(arrays, due, complete_micros, self.early, self.columns({topic: kinds}))

    def _letters_of(self, events: pa.Table) -> np.ndarray:
        """The letter of each event as a byte, 0 for none."""
        letters = np.zeros(len(events), np.uint8)
        for letter, column in reversed([*self.letters.items()]):
            letters[pc.fill_null(events[column], False).to_numpy()] = ord(letter)
        return letters

    def _pieces(self, order: EventOrder) -> tuple[np.ndarray, np.ndarray]:
        """For each event the time at which its run without a silence began; and the places where a search starts."""
        times, restart = order.times, self._restart_micros
        places = np.arange(len(times))
        before = np.concatenate([times[:1], times[:-1]])
        is_run_start = (order.begins == places) | (times - before > self._within_micros)
        run_starts = times[np.maximum.accumulate(np.where(is_run_start, places, 0))]
        multiples = times - times % restart
        is_restart = (before < multiples) & (run_starts <= multiples - restart)
        return run_starts, np.flatnonzero(is_run_start | is_restart)

    def _due(self, order: EventOrder, run_starts: np.ndarray, pieces: np.ndarray, firsts: np.ndarray) -> np.ndarray:
        """When no further event can be added to the piece of each match, in microseconds."""
        ends = np.append(pieces[1:], len(order.times)) - 1
        last = ends[np.searchsorted(pieces, firsts, side="right") - 1]
        silence = order.times[last] + self._within_micros + 1
        multiples = order.times[last] - order.times[last] % self._restart_micros + self._restart_micros
        starts_anew = run_starts[last] <= multiples - self._restart_micros
        due: np.ndarray = np.where(starts_anew, np.minimum(silence, multiples), silence)
        return due


def _columns_at(events: pa.Table, order: EventOrder, places: np.ndarray) -> dict[str, pa.Array]:
    taken = events.take(pa.array(order.rows[places]))
    return {name: taken[name] for name in taken.column_names}


def matches(re2: str, letters: np.ndarray, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The places of the first and the last letter of each match; none reaches from one piece into the next.

    `pieces`: where each begins, the first at 0. Arrow searches all of them in one call, and puts < and > around each
    match: the places of these marks, less the marks before them, are the places of the letters.
    """
    if not len(letters):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    offsets = np.append(pieces, len(letters)).astype(np.int64)
    texts = pa.LargeStringArray.from_buffers(len(pieces), pa.py_buffer(offsets), pa.py_buffer(letters.tobytes()))
    marked = pc.replace_substring_regex(texts, pattern=re2, replacement=r"<\0>")
    _, ends, data = marked.buffers()
    length = np.frombuffer(ends, np.int64, len(pieces) + 1, 8 * marked.offset)[-1]
    characters = np.frombuffer(data, np.uint8, length)
    opens, closes = np.flatnonzero(characters == ord("<")), np.flatnonzero(characters == ord(">"))
    marks = 2 * np.arange(len(opens))
    return opens - marks, closes - marks - 2
