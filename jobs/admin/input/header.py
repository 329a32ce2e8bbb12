"""The names of a CSV file's columns, and doubts about the row that should hold them."""

import re
from collections import Counter
from datetime import datetime
from difflib import get_close_matches

MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
"""What may part fields, and what it is called."""
SPELT = {"\t": "tab"}
"""What is written in a command for it, if not the character in quotes."""
_NUMBER = re.compile(r"[+-]?[.,]?[0-9][0-9.,' _]*([eE][+-]?[0-9]+)?%?")
_DAY = re.compile(r"[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([T ].*)?|[0-9]{1,2}:[0-9]{2}(:[0-9]{2}.*)?")


def option(mark: str) -> str:
    """The option that names a delimiter."""
    return f"--delimiter {SPELT.get(mark, repr(mark))}"


def parted_otherwise(cells: list[str], delimiter: str) -> str | None:
    """What seems to part fields within cells, if it parts as many as the delimiter or more; in words, with the remedy.

    For files whose delimiter nobody named: it might be another one.
    """
    text = "".join(cells)
    mark = max((mark for mark in MARKS if mark != delimiter), key=text.count)
    if not 0 < text.count(mark) >= len(cells) - 1:
        return None
    return f"fields look parted by {MARKS[mark]}: give {option(mark)}, or {option(delimiter)} if they are not"


def missing(column: str, names: list[str]) -> str:
    """What to say of a column that is not there. Of the names only one that is like it, as they may be data."""
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
        said = _kind(name)
        if said:
            return f"the header's column {place} {said}. {remedy}; else give it a name in the file"
    name, times = Counter(names).most_common(1)[0]
    if times > 1:
        first, second = [place for place, other in enumerate(names, 1) if other == name][:2]
        return f"the header's columns {first} and {second} have the same name. {remedy}; else rename one in the file"
    return None


def _kind(name: str) -> str | None:
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
