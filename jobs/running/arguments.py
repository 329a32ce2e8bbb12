"""What a job is told when it is started, looked at before Java is."""

import json
import re
from datetime import datetime

from jobs.running.errors import Refused

_UNITS = "microsecond|millisecond|second|minute|hour|day|week"
_PART = rf"(?:[0-9]{{1,9}} +(?:{_UNITS})s?|[0-9]{{1,9}}\.[0-9]{{1,9}} +seconds?)"


def check_interval(said: str | None) -> None:
    """Raises Refused unless Spark reads it as the time between batches: "10 seconds", "1 minute 30 seconds";
    "0 seconds" is at once.
    """
    if said is not None and not re.fullmatch(rf"(?:interval +)?{_PART}(?: +{_PART})*", said.strip(), re.IGNORECASE):
        raise Refused(
            f'--continuous "{said}" is not a time between batches: write a whole number and one of '
            f'{", ".join(f"{unit}s" for unit in _UNITS.split("|"))}, such as "10 seconds"; "0 seconds" is at once.'
        )


def check_start(said: str | None) -> None:
    """Raises Refused if it cannot be where a first run begins, as far as that can be judged without the log."""
    if said is None:
        return
    words = said.strip()
    known = words.lower() in ("earliest", "latest") or words.isdecimal()
    if not (known or _is_offsets(words) or _is_time(words)):
        raise Refused(
            f'--start "{said}" is no start: give earliest, latest, a time with its zone such as 2025-05-05T08:00:00Z, '
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
