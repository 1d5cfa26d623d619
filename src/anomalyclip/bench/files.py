"""bench.json, bench.md and bench.png of one run."""

from __future__ import annotations

import json
import math
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from anomalyclip.bench.report import markdown
from anomalyclip.io.atomic import atomic_write, output_error

JSON, MARKDOWN, PLOT = "bench.json", "bench.md", "bench.png"


def write_bench(folder: Path, record: dict[str, Any]) -> list[Path]:
    """Write the files and give their paths; no picture where matplotlib is not installed.

    Raises:
        OutputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(folder, error) from error
    text = json.dumps(_without_nan(record), indent=1, allow_nan=False) + "\n"
    for name, content in ((JSON, text), (MARKDOWN, markdown(record))):
        with atomic_write(folder / name) as temporary:
            temporary.write_text(content, encoding="utf-8")
    written = [folder / JSON, folder / MARKDOWN]
    if find_spec("matplotlib") is None:
        return written
    from anomalyclip.bench.plot import plot_speed

    plot_speed(record["speed"], folder / PLOT, record["plan"]["model"])
    return [*written, folder / PLOT]


def _without_nan(value: Any) -> Any:
    """JSON knows no NaN: an undefined figure is null."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and math.isnan(value) else value
