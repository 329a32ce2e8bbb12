"""Windows that begin so much later than multiples of their length, or hop, since 1970 UTC."""

from jobs.running import durations
from jobs.running.errors import Mistake


def seconds(offset: str | None) -> int:
    """In seconds; 0 without an offset."""
    return 0 if offset is None else durations.seconds(offset)


def label(offset: str | None) -> str:
    """The end of a window's label."""
    return "" if offset is None else f" offset {offset}"


def length(name: str, offset: str | None, unit: str, unit_seconds: int) -> dict[str, int]:
    """The offset as a length that panes must fill; none without one.

    Raises Mistake if it is as long as the unit after which windows repeat: then another would give the same windows.
    """
    if offset is None:
        return {}
    if seconds(offset) >= unit_seconds:
        rest = seconds(offset) % unit_seconds
        instead = f'the same windows have offset="{durations.text(rest)}"' if rest else "leave the offset out"
        raise Mistake(
            f"{name}: the offset must be shorter than the {unit} of {durations.text(unit_seconds)}: {instead}"
        )
    return {"offset": seconds(offset)}
