"""Two results compared at equal offsets: each of their tables of answers, as it was when both had read as far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from jobs.admin.versions import answer_keys, equal_offsets, table_comparison
from jobs.admin.versions.answer_keys import ComparedRows
from jobs.admin.versions.equal_offsets import Equal, Moment
from jobs.admin.versions.table_comparison import Comparison, Side
from jobs.answers import table_names
from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places

TOLERANCE = 1e-9
"""Means and sums of doubles are the same within so much of their value, however the log is cut."""
Keys = Mapping[str, ComparedRows]
"""By what follows the name of the result in the name of a table."""


@dataclass(frozen=True)
class ResultComparison:
    """What differs between two results at equal offsets."""

    at: Equal
    answers: dict[str, Comparison]
    """By what follows the result's name in the name of the table: of answers, and of those beside them."""
    lone_tables: tuple[str, ...]
    """Such tables that one result alone has."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.lone_tables and all(each.is_equal for each in self.answers.values())


def compare(
    places: Places, old: str, new: str, key: tuple[str, ...] = (), tolerance: float = TOLERANCE, examples: int = 0
) -> ResultComparison:
    """Compare two results at the last offsets that both have published. `key`: for all tables of answers, instead of
    that in the ledger; those beside them are not compared then. Keeps so many `examples` of keys of each sort.

    Raises Refused if they were never at equal offsets, or if their tables of then are no longer there.
    """
    at = equal_offsets.find(places, old, new)
    keys = {moment.name: _keys(places, moment, key) for moment in (at.old, at.new)}
    both = [answer for answer in keys[old] if answer in keys[new]]
    lone = [
        table_names.part(name, answer)
        for name, other in ((old, new), (new, old))
        for answer in keys[name] if answer not in keys[other]
    ]  # fmt: skip
    found: dict[str, Comparison] = {}
    for answer in both:
        compared = keys[new][answer]
        of_answer = key or _same_key(keys[old][answer].key, compared.key, table_names.part(new, answer))
        with _with_explanation(places, at):
            sides = [Side(_table(places, each, answer), compared.where) for each in (at.old, at.new)]
            ignored = (*table_comparison.OWN, *compared.measured)
            found[answer] = table_comparison.compare(
                sides[0], sides[1], of_answer, tolerance, examples, ignored=ignored
            )
    if not found:
        raise Refused(f"{old} and {new} have no answer in common: {', '.join(lone)}.")
    return ResultComparison(at, found, tuple(lone))


def _keys(places: Places, moment: Moment, key: tuple[str, ...]) -> Keys:
    """The tables that a result had then; that with its name alone, if `key` is given and the ledger does not say which
    it has.
    """
    try:
        found = answer_keys.read(moment.name, equal_offsets.last_row(places, moment.name).definition)
    except Refused:
        if key:
            return {"": ComparedRows(key)}
        raise
    had = {part: table_names.part(moment.name, part) in moment.tables for part in found}
    return {part: each for part, each in found.items() if each.of_answer or (had[part] and not key)}


def _same_key(old: tuple[str, ...], new: tuple[str, ...], table: str) -> tuple[str, ...]:
    if set(old) != set(new):
        raise Refused(
            f"the rows of {table} are told apart by {', '.join(new)}, those of the old by {', '.join(old)}: they "
            "are not about the same things. Name with --key columns that both have and that tell rows apart."
        )
    return old


def _table(places: Places, moment: Moment, answer: str) -> DeltaTable:
    """The table of an answer, as it was at that moment. Raises Refused if it is not the one of then."""
    name = table_names.part(moment.name, answer)
    known, path = moment.tables.get(name), places.table(name)
    now = delta_tables.find(path)
    if known is None or now is None or str(now.metadata().id) != known["id"]:
        raise Refused(f"the table {path} is not the one that the ledger of {moment.name} knows: see `headrace doctor`.")
    return DeltaTable(path, version=known["version"])


@contextmanager
def _with_explanation(places: Places, at: Equal) -> Iterator[None]:
    """Raises Refused for a version that was vacuumed, or whose log is cleaned up."""
    try:
        yield
    except Refused:
        raise
    except Exception as error:  # DataFusion has no error of its own for a file that is gone
        if not isinstance(error, DeltaError) and "not found" not in str(error):
            raise
        raise Refused(
            f"the tables of ledger row {at.old.sequence} of {at.old.name} and row {at.new.sequence} of {at.new.name} "
            f"cannot be read any more in {places.tables}, as after a vacuum: run both jobs to the end while nothing is "
            "written to the log, and compare again."
        ) from None
