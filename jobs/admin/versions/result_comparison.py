"""Two results compared at equal offsets: each of their tables of answers, as it was when both had read as far."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from jobs.admin.versions import answer_keys, equal_offsets, table_comparison
from jobs.admin.versions.equal_offsets import Equal, Moment
from jobs.admin.versions.table_comparison import Comparison
from jobs.answers import table_names
from jobs.lake import delta_tables
from jobs.running.errors import Refused
from jobs.running.places import Places

TOLERANCE = 1e-9
"""Means and sums of doubles are the same within so much of their value, however the log is cut."""
Keys = Mapping[str, tuple[str, ...]]
"""By the name of an answer, the columns that tell its rows apart."""


@dataclass(frozen=True)
class ResultComparison:
    """What differs between two results at equal offsets."""

    at: Equal
    answers: dict[str, Comparison]
    """By the name of the answer; "": the one in the table that has the result's name."""
    lone_tables: tuple[str, ...]
    """Tables of answers that one result alone has."""

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs."""
        return not self.lone_tables and all(each.is_equal for each in self.answers.values())


def compare(
    places: Places, old: str, new: str, key: tuple[str, ...] = (), tolerance: float = TOLERANCE, examples: int = 0
) -> ResultComparison:
    """Compare two results at the last offsets that both have published. `key`: for all tables, instead of that in the
    ledger. Keeps so many `examples` of keys of each sort.

    Raises Refused if they were never at equal offsets, or if their tables of then are no longer there.
    """
    at = equal_offsets.find(places, old, new)
    keys = {name: _keys(places, name, key) for name in (old, new)}
    both = [answer for answer in keys[old] if answer in keys[new]]
    lone = [
        table_names.part(name, answer)
        for name, other in ((old, new), (new, old))
        for answer in keys[name] if answer not in keys[other]
    ]  # fmt: skip
    found: dict[str, Comparison] = {}
    for answer in both:
        of_answer = key or _same_key(keys[old][answer], keys[new][answer], table_names.part(new, answer))
        with _with_explanation(places, at):
            sides = [_table(places, each, answer) for each in (at.old, at.new)]
            found[answer] = table_comparison.compare(sides[0], sides[1], of_answer, tolerance, examples)
    if not found:
        raise Refused(f"{old} and {new} have no answer in common: {', '.join(lone)}.")
    return ResultComparison(at, found, tuple(lone))


def _keys(places: Places, name: str, key: tuple[str, ...]) -> Keys:
    """The keys of a result's answers; of "" alone, if `key` is given and the ledger does not say which it has."""
    try:
        return answer_keys.read(name, equal_offsets.last_row(places, name).definition)
    except Refused:
        if key:
            return {"": key}
        raise


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
