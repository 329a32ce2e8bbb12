"""CSV files as records: each row a JSON object, as the schema file says or as all the cells of a column allow.

A file is read twice: first to find the kind of each column over all rows, and every fault, so that nothing of a
faulty file is written; then to make its records. Only one row is held in memory.
"""

import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from jobs.admin.input import header
from jobs.admin.input.cells import TEXT, Kind, guess, quote
from jobs.admin.input.csv_rows import Row, rows
from jobs.admin.input.files import Advance, Rereadable, display_name
from jobs.admin.input.records import Fields, Record
from jobs.running.errors import Refused

SETTLED_ROWS = 1000
"""After so many rows, columns known to be text are no longer checked."""


@dataclass(frozen=True)
class Reading:
    """How CSV is read."""

    delimiter: str | None = None
    """None: a tab in files whose name ends in .tsv, else a comma; and a file that seems to have another is refused."""
    encoding: str = "utf-8"
    decimal_comma: bool = False
    columns: tuple[str, ...] = ()
    """Names of the columns of a file without a header."""
    text: tuple[str, ...] = ()
    """Columns that stay text, whatever the schema file says."""
    nulls: frozenset[str] = frozenset()
    """Cells that are null, in a column of any kind."""
    declared: Mapping[str, Kind] = field(default_factory=dict)
    """Kinds of the columns that the topic's schema file declares."""

    def kinds(self) -> dict[str, Kind]:
        """The kinds of columns that nobody has to guess."""
        return {**self.declared, **dict.fromkeys(self.text, TEXT)}


class Sheet:
    """A CSV file. A cell is the same with quotation marks around it and without, also an empty one."""

    def __init__(self, name: str, reading: Reading, fields: Fields) -> None:
        self._file, self._reading, self._fields = Rereadable(name), reading, fields
        self._name = display_name(name)
        self._delimiter = reading.delimiter or ("\t" if name.removesuffix(".gz").endswith(".tsv") else ",")

    def look(self, guesses: dict[str, Kind]) -> None:
        """Read all rows, and note of what kind each column is that is not declared; for one file after the other.

        A column holds numbers, or true and false, if each of its cells that is not empty does; else it is text.
        Raises Refused for whatever is wrong with the file.
        """
        nulls, comma, kinds = self._reading.nulls, self._reading.decimal_comma, self._reading.kinds()
        with self._table() as (names, body):
            unknown = [(index, name) for index, name in enumerate(names) if name not in kinds]
            known = [(i, kinds[name]) for i, name in enumerate(names) if kinds.get(name, TEXT) is not TEXT]
            for number, row in body:
                for index, name in unknown:
                    cell = row[index]
                    if cell and cell not in nulls:
                        kind = guess(cell, comma)
                        if guesses.setdefault(name, kind) is not kind:
                            guesses[name] = TEXT
                for index, kind in known:
                    self._check(kind, row[index], number, names[index])
                if number % SETTLED_ROWS == 0:
                    unknown = [(index, name) for index, name in unknown if guesses.get(name) is not TEXT]

    def records(self, guesses: Mapping[str, Kind], advance: Advance = lambda _: None) -> Iterator[Record]:
        """One record a row; `advance` is told of the bytes that are read. Raises Refused, also for a key or a timestamp
        that cannot be read.
        """
        kinds, nulls = {**guesses, **self._reading.kinds()}, self._reading.nulls
        with self._table(advance) as (names, body):
            row_kinds = [kinds.get(name, TEXT) for name in names]
            asked = [(names.index(name), name) for name in (self._fields.key, self._fields.timestamp) if name]
            template = "{" + ",".join(quote(name).replace("%", "%%") + ":%s" for name in names) + "}"
            for number, row in body:
                try:
                    written = [
                        (kind.write(cell) if cell not in nulls else "null") if cell else kind.empty
                        for kind, cell in zip(row_kinds, row, strict=True)
                    ]
                    fields = {name: _plain(row[index], written[index]) for index, name in asked}
                    record = self._fields.record((template % tuple(written)).encode(), fields)
                except ValueError as why:
                    for kind, cell, name in zip(row_kinds, row, names, strict=True):
                        self._check(kind, cell, number, name)
                    raise Refused(f"{self._name}, row {number}: {why}.") from None
                yield record

    def _check(self, kind: Kind, cell: str, number: int, column: str) -> None:
        """Raises Refused for a cell that is not of the column's kind."""
        if not cell or cell in self._reading.nulls:
            return
        try:
            kind.write(cell)
        except ValueError as why:
            declared = " (its type is in the schema file)" if column in self._reading.declared else ""
            column = " ".join(column.split())  # the message is one line
            raise Refused(
                f"{self._name}, row {number}, column {column}{declared}: {why}. --text {shlex.quote(column)} keeps the "
                "column as it is; --null WORD takes a cell of that word for an empty one."
            ) from None

    @contextmanager
    def _table(self, advance: Advance = lambda _: None) -> Iterator[tuple[list[str], Iterator[Row]]]:
        """The columns' names, and the rows below them, each as wide as the names are many. Raises Refused."""
        with (
            self._file.open(advance) as stream,
            closing(rows(self._file.name, stream, self._delimiter, self._reading.encoding)) as found,
        ):
            first = next(found, None)
            if first is None:
                raise Refused(f"{self._name} is empty.")
            if self._reading.columns:
                names, head = list(self._reading.columns), [first]
                if first[1] == names:
                    raise Refused(f"{self._name}: the first row holds the names already: leave out --columns.")
            else:
                names, head = first[1], []
                self._check_names(first)
            self._check_asked(names)
            yield names, self._body(names, head, found)

    def _check_names(self, first: Row) -> None:
        number, names = first
        is_named = self._reading.delimiter or (self._delimiter == "\t" and len(names) > 1)
        doubt = (not is_named and header.other_delimiter(names, self._delimiter)) or header.doubt(names)
        if doubt:
            raise Refused(f"{self._name}, row {number}: {doubt}.")

    def _check_asked(self, names: list[str]) -> None:
        for column in (self._fields.key, self._fields.timestamp, *self._reading.text):
            if column and column not in names:
                raise Refused(f"{self._name}: {header.missing_column(column, names)}.")

    def _body(self, names: list[str], head: list[Row], found: Iterator[Row]) -> Iterator[Row]:
        doubtful = len(names) == 1 and not self._reading.delimiter
        for part in (head, found):
            for row in part:
                if len(row[1]) != len(names) or doubtful:
                    self._check_width(row, names)
                yield row

    def _check_width(self, row: Row, names: list[str]) -> None:
        number, cells = row
        other = None if self._reading.delimiter else header.other_delimiter(cells, self._delimiter)
        if len(cells) != len(names):
            named = "--columns names" if self._reading.columns else "the header names"
            remedy = (
                "A cell that holds the delimiter or a line end stands in quotation marks; mend the row or remove it"
            )
            fault = f"{len(cells)} cells, and {named} {len(names)}. {other or remedy}"
        elif other:
            fault = other
        else:
            return
        raise Refused(f"{self._name}, row {number}: {fault}.")


def _plain(cell: str, written: str) -> str | None:
    """The cell as the text of a key or a timestamp: None for null, a number as the JSON has it."""
    if written == "null":
        return None
    return cell if written.startswith('"') else written
