"""The arguments of a job, checked before Java is started."""

import json
import re
from datetime import datetime

from jobs.running.errors import Refused

_UNITS = "microsecond|millisecond|second|minute|hour|day|week"
_PART = rf"(?:[0-9]{{1,9}} +(?:{_UNITS})s?|[0-9]{{1,9}}\.[0-9]{{1,9}} +seconds?)"


def check_interval(interval: str | None) -> None:
    """Raises Refused unless Spark reads it as the time between batches: "10 seconds", "1 minute 30 seconds";
    "0 seconds" is at once.
    """
    pattern = rf"(?:interval +)?{_PART}(?: +{_PART})*"
    if interval is not None and not re.fullmatch(pattern, interval.strip(), re.IGNORECASE):
        raise Refused(
            f'--continuous "{interval}" is not a time between batches: write a whole number and one of '
            f'{", ".join(f"{unit}s" for unit in _UNITS.split("|"))}, such as "10 seconds"; "0 seconds" is at once.'
        )


def check_start(start: str | None) -> None:
    """Raises Refused if a first run cannot begin there, as far as that is clear without reading the log."""
    if start is None:
        return
    words = start.strip()
    known = words.lower() in ("earliest", "latest") or words.isdecimal()
    if not (known or _is_offsets(words) or _is_time(words)):
        raise Refused(
            f'--start "{start}" is no start: give earliest, latest, a time with its zone such as 2025-05-05T08:00:00Z, '
            'milliseconds since 1970, or offsets such as {"topic": {"0": 12}}.'
        )


def _is_offsets(words: str) -> bool:
    try:
        named = json.loads(words)
    except ValueError:
        return False
    offsets = list(named.values()) if isinstance(named, dict) else []
    return len(offsets) == 1 and isinstance(offsets[0], dict)


def _is_time(words: str) -> bool:
    try:
        return datetime.fromisoformat(words).tzinfo is not None
    except ValueError:
        return False
