"""The names of a CSV file's columns, and doubts about the row that should hold them."""

import re
from collections import Counter
from datetime import datetime
from difflib import get_close_matches

MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""Characters that may delimit fields, and their names."""
SPELT = {"\t": "tab"}
"""How a command names it, if not by the character in quotes."""
_NUMBER = re.compile(r"[+-]?[.,]?[0-9][0-9.,' _]*([eE][+-]?[0-9]+)?%?")
_DAY = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}.*)?")


def option(mark: str) -> str:
    """The option that names a delimiter."""
    return f"--delimiter {SPELT.get(mark, repr(mark))}"


def other_delimiter(cells: list[str], delimiter: str) -> str | None:
    """That another character seems to delimit fields, at least as many as the delimiter does, and the remedy; or None.

    For files whose delimiter was not named: it might be another one.
    """
    text = "".join(cells)
    mark = max((mark for mark in MARKS if mark != delimiter), key=text.count)
    if not 0 < text.count(mark) >= len(cells) - 1:
        return None
    return f"fields look parted by {MARKS[mark]}: give {option(mark)}, or {option(delimiter)} if they are not"


def missing_column(column: str, names: list[str]) -> str:
    """The message about a column that does not exist. Shows only the most similar name, as names may be data."""
    like = get_close_matches(column, names, 1)
    if like:
        return f"there is no column {column}, but {' '.join(like[0].split())}"
    return f"there is no column {column}. If the file has no header, name its columns with --columns"


def doubt(names: list[str]) -> str | None:
    """Why these can hardly be names, if they can; shows none of them, as they may be data."""
    if names[0].lower() == "sep=" and not any(names[1:]):
        return "the first line is not the header, but tells Excel the delimiter: remove it"
    if names[0].lstrip().startswith("{"):
        return "an object of JSON, not a header: give --format ndjson"
    remedy = "If the first row is data, name its columns with --columns"
    for place, name in enumerate(names, 1):
        fault = _fault(name)
        if fault:
            return f"the header's column {place} {fault}. {remedy}; else give it a name in the file"
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        first, second = [place for place, other in enumerate(names, 1) if other == name][:2]
        return f"the header's columns {first} and {second} have the same name. {remedy}; else rename one in the file"
    return None


def _fault(name: str) -> str | None:
    name = name.strip()
    if not name:
        return "has no name"
    if _NUMBER.fullmatch(name):
        return "is a number"
    if _is_time(name):
        return "is a time"
    return "is true or false" if name.lower() in ("true", "false") else None


def _is_time(name: str) -> bool:
    if _DAY.fullmatch(name):
        return True
    try:
        datetime.fromisoformat(name)
    except ValueError:
        return False
    return True
