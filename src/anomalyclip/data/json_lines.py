"""JSON lines, as Hugging Face's folders of images have them (metadata.jsonl), as the columns of a list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from anomalyclip.errors import InputError
from anomalyclip.io.json_objects import once_each

SUFFIXES = (".jsonl", ".ndjson")


def rows_of_lines(text: str, shown: str) -> list[dict[str, Any]]:
    """A row for each line, an empty one for an empty one. shown: the file, for messages.

    Raises InputError for a line that is no object, or has a key twice.
    """
    return [_object(line, f"{shown}, line {number}") for number, line in enumerate(text.splitlines(), 1)]


def as_columns(rows: Sequence[dict[str, Any]]) -> tuple[tuple[str, ...], str]:
    """(names, CSV with them as its first line).

    Numbers and words stand as they are, null, [] and {} are empty cells, of a list of texts bars stand between them;
    other lists and objects stay JSON.
    """
    names = tuple(dict.fromkeys(name for row in rows for name in row))
    table = io.StringIO(newline="")
    writer = csv.writer(table)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(row.get(name)) for name in names] if row else [])
    return names, table.getvalue()


def _object(line: str, where: str) -> dict[str, Any]:
    if not line.strip():
        return {}
    try:
        row = json.loads(line, object_pairs_hook=once_each)
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON; expected one object a line") from error
    if not isinstance(row, dict):
        raise InputError(f"{where}: expected an object, such as {{'file_name': '0.png', 'label': 0}}")
    return row


def _cell(value: Any) -> str:
    if value is None or value in ([], {}):
        return ""
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        value = "|".join(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return " ".join(text.splitlines())
