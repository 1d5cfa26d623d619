"""What one input comes to, and its row in `results.jsonl`; `flat` has that of `results.csv`."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from anomalyclip.detect.identity import Identity
from anomalyclip.detect.inputs import InputItem
from anomalyclip.geometry.regions import Region
from anomalyclip.prediction import Decision

#: Keys of a JSON row, in this order.
COLUMNS = (
    "path",
    "width",
    "height",
    "score",
    "p_value",
    "decision",
    "regions",
    "geometry",
    "notes",
    "error",
    "model",
    "prompts",
    "settings",
    "frame",
)
#: Rows of older output folders lack these keys.
LATER_KEYS = frozenset({"p_value", "geometry", "notes", "frame"})


@dataclass(frozen=True)
class Pair:
    """Data URIs of a suspicious patch and of the good one that it was compared with, and words on them."""

    own: str
    good: str
    words: str


@dataclass(frozen=True)
class Thumbnails:
    """Data URIs for the report: the image, and the same with its heat map, both a few hundred pixels wide.

    pairs: of its strongest regions, where a memory judged.
    """

    image: str
    heat: str
    pairs: tuple[Pair, ...] = ()


@dataclass(frozen=True)
class Result:
    """Outcome for one input.

    width, height: pixels of the upright image, None where it could not be read. score: in [0, 1].
    decision: None without a threshold. error: None, or one line that says why it failed; a result whose files could
    not be written has both a score and an error. p_value: conformal, in (0, 1], None without a profile.
    geometry: None for one plain view of the whole image, else how many views it took, the box the model saw and the
    share of pixels that count (`anomalyclip.geometry.surveying`). identity: of the file that was read, where that was
    asked for (`detect_stream(identify=True)`) and it did not change meanwhile. notes: what has to be told about how it
    was read, one line each (`anomalyclip.io.notes_of`). digest: what the picture is known by where a folder judges
    itself (`anomalyclip.mutual`), else None.
    """

    item: InputItem
    width: int | None = None
    height: int | None = None
    score: float | None = None
    decision: Decision | None = None
    regions: list[Region] = field(default_factory=list)
    geometry: Mapping[str, Any] | None = None
    error: str | None = None
    thumbnails: Thumbnails | None = None
    p_value: float | None = None
    identity: Identity | None = None
    notes: tuple[str, ...] = ()
    digest: str | None = None


@dataclass(frozen=True)
class Provenance:
    """What made the results; the same in every row of a run. settings: JSON values only."""

    model: str
    prompts: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, model: Any, **extra: Any) -> Provenance:
        """From `model.provenance()`; hashes, version and `extra` (thresholds) join the settings."""
        given = dict(model.provenance())
        name, prompts = str(given.pop("model")), str(given.pop("prompts"))
        settings = {**given.pop("settings"), **given, **extra}
        return cls(name, prompts, json.loads(json.dumps(settings, default=str)))

    def saying(self, more: Mapping[str, Any]) -> Provenance:
        """The same, with further settings."""
        return replace(self, settings={**self.settings, **more}) if more else self


def one_line(reason: object) -> str:
    """Any message on one line, never empty."""
    text = " ".join(str(reason).split())
    return text or type(reason).__name__


def to_row(result: Result, provenance: Provenance) -> dict[str, Any]:
    """One JSON-ready dict with the keys of COLUMNS."""
    finite = result.score is not None and math.isfinite(result.score)
    return {
        "path": result.item.path,
        "width": result.width,
        "height": result.height,
        "score": result.score if finite else None,
        "p_value": result.p_value,
        "decision": result.decision,
        "regions": result.regions,
        "geometry": result.geometry,
        "notes": list(result.notes),
        "error": result.error,
        "model": provenance.model,
        "prompts": provenance.prompts,
        "settings": dict(provenance.settings),
        "frame": result.item.frame,
    }


def is_row(row: Mapping[str, Any]) -> bool:
    """Whether a line of `results.jsonl` that was read back is as `to_row` makes it; one that was edited may not be."""
    return row.keys() >= set(COLUMNS) - LATER_KEYS and is_readable(row)


def is_readable(row: Mapping[str, Any]) -> bool:
    """Whether it names a file, and what else it says of the keys of COLUMNS is of their types."""
    try:
        os.fsencode(row["path"])  # TypeError, or UnicodeEncodeError: no name on any disk
    except (KeyError, TypeError, ValueError):
        return False
    return all(row.get(key) is None or fits(row[key]) for key, fits in _FITS.items())


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < _LARGEST


def _is_region(value: object) -> bool:
    box = value.get("box") if isinstance(value, dict) else None
    numbers = [*box, value.get("peak"), value.get("area")] if isinstance(box, list) and isinstance(value, dict) else []
    return len(numbers) == 6 and all(map(_is_number, numbers))


_LARGEST = 1e15  # of a row's numbers; NaN and infinities are none
_FITS: dict[str, Callable[[Any], bool]] = {
    **dict.fromkeys(("width", "height", "score", "p_value", "frame"), _is_number),
    **dict.fromkeys(("decision", "error", "model", "prompts"), lambda value: isinstance(value, str)),
    **dict.fromkeys(("geometry", "settings"), lambda value: isinstance(value, dict)),
    "regions": lambda value: isinstance(value, list) and all(map(_is_region, value)),
    "notes": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
}


def json_line(row: Mapping[str, Any]) -> bytes:
    """A row as one line of UTF-8 JSON. Undecodable bytes of a file name become `\\udcXX` escapes: json.loads and
    os.fsencode give the name back exactly."""
    text = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(", ", ": "))
    return text.encode("utf-8", "backslashreplace") + b"\n"
