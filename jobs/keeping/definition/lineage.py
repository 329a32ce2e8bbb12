"""What a column, or the rows, of a transform are computed from."""

import hashlib
from dataclasses import dataclass

Path = tuple[str, ...]
"""A column of the source, or a field inside of it."""


@dataclass(frozen=True)
class Lineage:
    """How a column, or the set of rows, is computed from the columns of the source."""

    text: str
    uses: frozenset[Path] = frozenset()
    """What it depends on."""
    by_type: frozenset[Path] = frozenset()
    """Those of `uses` whose type has an effect too, not their value alone: a hash depends on it."""
    path: Path | None = None
    """Set if it is a column of the source, or a field of one, unchanged."""

    def shorten(self) -> "Lineage":
        """The same with a digest for its text, so that texts made of it stay short."""
        if self.path is not None:
            return self
        return Lineage("%" + hashlib.sha256(self.text.encode()).hexdigest()[:32], self.uses, self.by_type)


def join(text: str, parts: list[Lineage]) -> Lineage:
    """What is computed from all of `parts`, as `text` says."""
    uses = frozenset(path for part in parts for path in part.uses)
    return Lineage(text, uses, frozenset(path for part in parts for path in part.by_type))


Columns = dict[int, Lineage]
"""By the number that Spark gives to a column."""
