"""Tables of results in one line, from any folder of a project: `tables.pandas("departure_delay_v1", "day")`.

Where they are is found as the command headrace does: the variable HEADRACE_PLACES names a places file, else it is
conf/local.toml of the current folder or of one above. Without Java.
"""

from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.publishing import results
from jobs.running import project
from jobs.running.places import Places, read_places

if TYPE_CHECKING:
    import pandas as pd


def pandas(name: str, window: str | None = None, places: Places | None = None) -> "pd.DataFrame":
    """As `results.pandas`: a table, or the rows of one kind of window ("day", "tumbling 1 hour") of it."""
    return results.pandas(places or here(), name, window)


def query(sql: str, places: Places | None = None) -> pa.Table:
    """As `results.query`: the answer to SQL over tables, and over views such as departure_delay_v1_1_hour."""
    return results.query(places or here(), sql)


def here() -> Places:
    """The places of the project at work. Raises Refused if its places file cannot be read."""
    return read_places(project.places_file())
