"""CSV in the forms that spreadsheets write: encoding, separator, titles, columns. Untrusted: bounded."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from anomalyclip.data.columns import column_of, is_of_a_model, is_word_of_lists, plain
from anomalyclip.data.json_lines import SUFFIXES as JSON_LINES
from anomalyclip.data.json_lines import as_columns, rows_of_lines
from anomalyclip.data.json_records import SUFFIX as JSON_RECORDS
from anomalyclip.data.json_records import records_in
from anomalyclip.data.places import Places
from anomalyclip.data.second_opinions import CORNER
from anomalyclip.data.text import decode, read_bytes, read_json
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BLANK = " "  # between path and label in plain texts, where a line holds no other separator
_SEP_LINE = re.compile(r'^"?sep=(.)"?\s*$', re.IGNORECASE)
ROLES = ("image", "label", "normal", "runs", "mask", "class", "kind", "split")
#: What images are called by, and much else: numbers of rows, of parts, of people.
_WEAK = frozenset({"id", "name", "frame", "input"})
#: Columns of what was decided; beside scores a program decided it.
_DECISIONS = frozenset(("decision", "verdict", "result", "judgement", "judgment", "ergebnis", "urteil"))
_MOST_TITLES = 30  # lines in which a header is looked for
_MOST_COMMENTS = 100_000  # lines above it
_MOST_LINES = 1_000_000
_LONGEST_CELL = 1 << 24  # characters: the runs of a large mask


@dataclass(frozen=True)
class Table:
    """A CSV's text, taken apart.

    header: the columns as the file calls them, () where it has no header. names: in our words. skipped: lines before
    the first row. form: encoding and separator, for people. rows_are: what a number of a row counts.
    """

    path: Path
    text: str
    delimiter: str
    header: tuple[str, ...]
    names: tuple[str, ...]
    skipped: int
    form: str
    rows_are: str = "line"

    @property
    def shown(self) -> str:
        """What stands before the number of a row in a message."""
        return f"{printable(self.path)}, {self.rows_are}"

    def rows(self, wanted: Callable[[str], bool] = bool) -> Iterator[tuple[int, dict[str, str]]]:
        """(line number, row by column name). wanted: which columns, by name. Raises InputError."""
        columns = [(number, name) for number, name in enumerate(self.names) if wanted(name)]
        lines = io.StringIO(self.text, newline="")
        for _ in range(self.skipped):
            lines.readline()
        csv.field_size_limit(_LONGEST_CELL)
        reader = csv.reader(lines, delimiter=self.delimiter, strict=True, skipinitialspace=self.delimiter == _BLANK)
        try:
            for number, row in enumerate(reader):
                if (number == 0 and self.header) or not any(cell.strip() for cell in row):
                    continue
                line = reader.line_num + self.skipped
                while len(row) > len(self.names) and not row[-1].strip():
                    row.pop()  # cells that a spreadsheet once used
                if len(row) != len(self.names):
                    raise InputError(
                        f"{self.shown} {line}: {len(row)} fields where the header has {len(self.names)} "
                        f"({printable(', '.join(self.names))}); quote fields that hold the separator"
                    )
                yield line, {name: row[number].strip() for number, name in columns}
        except csv.Error as error:
            line = reader.line_num + self.skipped
            raise InputError(f"{self.shown} {line}: not valid CSV ({error}); write it anew") from error


_MOST_COLUMNS = 2000  # each is looked at against all others, and in the folder


def open_table(path: Path, places: Places | None = None) -> Table:
    """Tell encoding, separator and columns. Raises InputError where the file cannot be read as text.

    places: where the pictures are, whose names tell an encoding that no mark does.
    """

    if path.suffix.lower() == JSON_RECORDS:
        return _of_records(path)

    def known(cell: str) -> bool:
        return is_word_of_lists(cell) or (places is not None and places.holds(cell))

    try:
        text, encoding = decode(read_bytes(path), known)
    except InputError as error:
        raise error if printable(path) in str(error) else InputError(f"{printable(path)}: {error}") from error
    if (count := max(text.count("\n"), text.count("\r"))) > _MOST_LINES:
        raise InputError(
            f"{printable(path)} has {count:,} lines, the limit is {_MOST_LINES:,}; write several lists, as one a class"
        )
    if path.suffix.lower() in JSON_LINES:
        names, text = as_columns(rows_of_lines(text, printable(path)))
        _check_width(path, names)
        # The line of names is none of the file's: numbers of lines begin behind it.
        return Table(path, text, ",", names, _our_names(names), -1, f"{encoding}, JSON lines")
    lines = _beginning(text)
    skipped = next((n for n, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), 0)
    told = _SEP_LINE.match(lines[skipped]) if lines else None
    skipped += told is not None
    skipped += _titles(lines[skipped : skipped + _MOST_TITLES], told[1] if told else "")
    first = lines[skipped] if skipped < len(lines) else ""
    delimiter = _separator(first, told[1] if told else "")
    header = _cells(first, delimiter)
    _check_width(path, header)
    form = f"{encoding}, separated by {(_DELIMITERS | {_BLANK: 'blanks'}).get(delimiter, repr(delimiter))}"
    return Table(path, text, delimiter, header, _our_names(header), skipped, form)


def _of_records(path: Path) -> Table:
    try:
        records = records_in(read_json(path))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{printable(path)}: not valid JSON ({error}); write it anew") from error
    if records is None:
        raise InputError(f"{printable(path)}: expected a list of objects with file_name, label and perhaps mask")
    names, text = as_columns(records)
    _check_width(path, names)
    return Table(path, text, ",", names, _our_names(names), -1, "JSON", "entry")


def _check_width(path: Path, header: Sequence[str]) -> None:
    if len(header) > _MOST_COLUMNS:
        raise InputError(
            f"{printable(path)} has {len(header):,} columns, the limit is {_MOST_COLUMNS:,}; leave some out"
        )


def _beginning(text: str) -> list[str]:
    """The lines among which the header is: blank ones and comments first, then as many as titles may take."""
    lines: list[str] = []
    left = None
    for line in islice(io.StringIO(text, newline=""), _MOST_COMMENTS):
        lines.append(line.rstrip("\r\n"))
        if left is None and line.strip() and not line.lstrip().startswith("#"):
            left = _MOST_TITLES + 2
        left = None if left is None else left - 1
        if left == 0:
            break
    return lines


def _separator(line: str, told: str) -> str:
    """What separates the cells of a header: what the file says, else what makes most columns that we know."""
    options = [told] if told else list(_DELIMITERS) if any(one in line for one in _DELIMITERS) else [_BLANK]
    return max(options, key=lambda one: (_known_columns(line, one), line.count(one)))


def _titles(lines: Sequence[str], told: str) -> int:
    """Lines of titles above the header, as reports have them: 0 where no line names an image and a label column."""
    for number, line in enumerate(lines):
        names = _our_names(_cells(line, _separator(line, told)))
        if is_list(names) and len(names) > 1:
            return number
    return 0


def columns_of(path: Path) -> tuple[str, ...]:
    """A CSV's column names as it has them, in lower case; () if it cannot be read as text."""
    try:
        return tuple(cell.casefold() for cell in open_table(path).header)
    except InputError:
        return ()


def read_rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, row by column name as in `columns_of`) of a CSV with a header. Raises InputError."""
    table = open_table(path)
    return replace(table, names=tuple(cell.casefold() for cell in table.header)).rows()


def _cells(line: str, delimiter: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter == _BLANK), [])
    except csv.Error:
        cells = line.split(delimiter)
    while len(cells) > 1 and not cells[-1].strip():
        cells.pop()
    return tuple(cell.strip() for cell in cells)


def _known_columns(line: str, delimiter: str) -> int:
    return sum(column_of(cell) in ROLES for cell in set(_cells(line, delimiter)))


def _our_names(header: Sequence[str]) -> tuple[str, ...]:
    """In our words; of several columns for one role, the one that is called so in our words, else the first whose name
    does not stand for other things, too."""
    names = [column_of(cell) for cell in header]
    if "x" in names:
        names = [CORNER if plain(cell) == CORNER else name for cell, name in zip(header, names, strict=True)]
    for role in ROLES:
        places = [number for number, name in enumerate(names) if name == role]
        if len({plain(header[number]) for number in places}) < len(places):
            continue  # the same name twice is refused
        places.sort(key=lambda number: (plain(header[number]) != role, plain(header[number]) in _WEAK))
        keep = places[0] if places else -1
        for number in places:
            if number != keep:
                names[number] = f"({header[number].strip().casefold()})"
    return tuple(names)


def labelling(names: Sequence[str]) -> str | None:
    """The column that says who is anomalous, the surest first."""
    return next((name for name in ("label", "normal", "runs", "kind", "mask") if name in names), None)


def answers_of(header: Sequence[str]) -> str | None:
    """The column of scores or probabilities beside one of decisions: what a program answered; None where none is.

    >>> answers_of(["path", "score", "p_value", "decision"]), answers_of(["image", "score", "label"])
    ('score', None)
    """
    if not any(plain(cell) in _DECISIONS for cell in header):
        return None
    return next((cell for cell in header if is_of_a_model(cell)), None)


def is_list(names: Sequence[str]) -> bool:
    """Whether columns are those of a list of labelled images."""
    return "image" in names and labelling(names) is not None
