"""The files of a finished evaluation; each appears complete or not at all, metrics.json last."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from anomalyclip.evaluation.result import Evaluation, ImageRow
from anomalyclip.evaluation.tables import as_json, as_latex, as_markdown
from anomalyclip.io.atomic import output_error, write_bytes

METRICS_FILE, IMAGES_FILE, MARKDOWN_FILE, LATEX_FILE = "metrics.json", "per_image.csv", "metrics.md", "metrics.tex"
DRAWS_FILE = "pixel_resamples.json"

#: Columns of per_image.csv.
COLUMNS = tuple("class" if field.name == "class_name" else field.name for field in fields(ImageRow))
_FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n")


def save(result: Evaluation, folder: str | Path) -> None:
    """Write metrics.json, per_image.csv, metrics.md, metrics.tex, and pixel_resamples.json where there are resamples of
    pixels: each complete or not at all.

    Raises OutputError where the folder cannot be written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    contents = {
        IMAGES_FILE: _csv(result),
        MARKDOWN_FILE: as_markdown(result),
        LATEX_FILE: as_latex(result),
        **_draws(result),
        METRICS_FILE: as_json(result),
    }
    for name, text in contents.items():
        write_bytes(folder / name, text.encode("utf-8", "backslashreplace"))


def _draws(result: Evaluation) -> dict[str, str]:
    """For `anomalyclip compare`: pixel metrics of images drawn anew, class by class."""
    drawn = {one.name: asdict(one.resamples) for one in result.classes if one.resamples is not None}
    return {DRAWS_FILE: json.dumps({"format": 1, "classes": drawn}) + "\n"} if drawn else {}


def _csv(result: Evaluation) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in result.rows:
        writer.writerow([_cell(getattr(row, field.name)) for field in fields(ImageRow)])
    return buffer.getvalue()


def _cell(value: Any) -> str:
    """None is empty; floats keep every digit; a text that a spreadsheet would run as a formula gets an apostrophe."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA_START) else value
    return repr(value) if isinstance(value, float) else str(value)
