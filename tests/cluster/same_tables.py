"""Whether two runs have written the same tables."""

import math

from tests import delta

CLOCKS = ("started_time", "committed_time", "updated_time")


def check_same(mine: str, theirs: str, without: tuple[str, ...]) -> None:
    """Two tables have the same rows, but for some columns; doubles within 1e-9, and sketches by their estimates."""
    both = []
    for path in (mine, theirs):
        kept = [{k: v for k, v in row.items() if k not in without and "sketch" not in k} for row in delta.rows(path)]
        both.append(sorted(kept, key=lambda row: repr([v for v in row.values() if not isinstance(v, float)])))
    assert len(both[0]) == len(both[1])
    for one, other in zip(*both, strict=True):
        assert one.keys() == other.keys()
        for name, value in one.items():
            alike = math.isclose(value, other[name], rel_tol=1e-9) if isinstance(value, float) else value == other[name]
            assert alike, (name, one, other)
