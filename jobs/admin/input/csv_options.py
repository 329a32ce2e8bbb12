"""Options of `headrace produce` for CSV alone, and what they mean together."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from jobs.admin.input.sheets import Reading

PANEL = "CSV: each cell keeps its characters"

Delimiter = Annotated[
    str | None,
    typer.Option(
        metavar="CHARACTER",
        help="What parts cells: one character, or the word tab. Else a comma, in .tsv files a tab.",
        rich_help_panel=PANEL,
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Such as latin-1, cp1252, utf-16. Else utf-8.", rich_help_panel=PANEL),
]
DecimalComma = Annotated[
    bool, typer.Option("--decimal-comma", help="12,5 is a number, and written as 12.5.", rich_help_panel=PANEL)
]
Columns = Annotated[
    str | None,
    typer.Option(metavar="A,B,C", help="Names of the columns, for files without a header.", rich_help_panel=PANEL),
]
Text = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="Column that stays text; may be repeated. Else the topic's schema file says what a column is. Without one "
        "the files are read first: a column holds numbers, or true and false, if each of its cells does in all files.",
        rich_help_panel=PANEL,
    ),
]
Null = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WORD",
        help="Cell that is null, such as NA; may be repeated. An empty cell is null, but in a column of text it is an "
        "empty text.",
        rich_help_panel=PANEL,
    ),
]


@dataclass(frozen=True)
class CsvOptions:
    """What was given; an option that was not is empty."""

    delimiter: str | None = None
    encoding: str | None = None
    decimal_comma: bool = False
    columns: str | None = None
    text: list[str] | None = None
    null: list[str] | None = None

    def option_names(self) -> list[str]:
        """The options that were given, as they are typed."""
        return [f"--{name.replace('_', '-')}" for name, value in asdict(self).items() if value not in (None, False)]

    def reading_of(self, topic: str) -> "Reading":
        """How CSV for the topic is read. Raises Refused for what no file can be read with."""
        from jobs.admin.input.cells import declared_kind
        from jobs.admin.input.sheets import Reading
        from jobs.admin.input.topic_schema import column_types

        types = column_types(topic)
        return Reading(
            _delimiter(self.delimiter),
            _encoding(self.encoding),
            self.decimal_comma,
            _columns(self.columns),
            tuple(self.text or ()),
            frozenset(self.null or ()),
            {name: declared_kind(kind, self.decimal_comma) for name, kind in types.items()},
        )


def _delimiter(given: str | None) -> str | None:
    from jobs.running.errors import Refused

    if given is None:
        return None
    mark = "\t" if given in ("tab", "\\t") else given
    if len(mark) != 1 or mark in '"\r\n\0':
        raise Refused("--delimiter takes one character, or the word tab; no quotation mark and no line end.")
    return mark


def _encoding(given: str | None) -> str:
    from jobs.running.errors import Refused

    try:
        "a".encode(given or "utf-8")
        b"".decode(given or "utf-8")
    except (LookupError, ValueError):
        raise Refused(f"--encoding {given}: Python knows no such encoding of text.") from None
    return given or "utf-8"


def _columns(given: str | None) -> tuple[str, ...]:
    import csv

    from jobs.running.errors import Refused

    if given is None:
        return ()
    names = next(csv.reader([given]), [])
    if not all(names) or not names or len(set(names)) < len(names):
        raise Refused("--columns takes names parted by commas, each once and none of them empty.")
    return tuple(names)
