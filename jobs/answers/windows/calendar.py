"""What the windows of a calendar have in common: is there such a zone, and do panes fit?"""

from datetime import UTC, datetime

import numpy as np

from jobs.answers import days
from jobs.answers.days import Period
from jobs.running import durations
from jobs.running.errors import Mistake


def check(name: str, zone: str, period: Period, every_seconds: int) -> None:
    """Raises Mistake if the zone is unknown, or if a period of it begins inside a pane of `every_seconds`."""
    if not days.is_zone(zone):
        raise Mistake(f"{name}: there is no time zone of this name. Take one of the tz database, such as Europe/Berlin")
    starts = days.all_starts(zone, period)
    inside = starts[starts % every_seconds != 0]
    if len(inside):
        begins = datetime.fromtimestamp(int(inside[0]), UTC)
        longest = durations.text(int(np.gcd.reduce(starts)))
        raise Mistake(
            f"{name}: a {period} there begins at {begins:%Y-%m-%d %H:%M:%S} UTC, inside a pane of "
            f"{durations.text(every_seconds)}. Take panes of {longest}, the longest that fit every {period} from 1970 "
            "on, or of a length that divides it"
        )
