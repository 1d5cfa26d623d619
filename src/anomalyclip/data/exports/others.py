"""JSON of labelling tools that is not read: recognised, so that it is named with its remedy and not passed over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Told = Callable[[Any], bool]


def _has(*keys: str) -> Told:
    """An object with these keys."""
    return lambda content: isinstance(content, dict) and all(key in content for key in keys)


def _lists(*keys: str) -> Told:
    """A list whose first entry has these keys."""
    return lambda content: isinstance(content, list) and bool(content) and _has(*keys)(content[0])


def _first_has(*keys: str) -> Told:
    """An object whose first value has these keys."""
    return lambda content: isinstance(content, dict) and bool(content) and _has(*keys)(next(iter(content.values())))


_TOOLS: tuple[tuple[str, tuple[Told, ...]], ...] = (
    ("VIA", (_has("_via_img_metadata"), _first_has("filename", "regions"))),
    ("V7 Darwin", (_has("annotations", "item"), _has("annotations", "image"))),
    (
        "Label Studio",
        (_lists("annotations", "data"), _lists("completions", "data"), _lists("annotation_id", "annotator")),
    ),
    ("Labelbox", (_has("data_row", "projects"), _lists("data_row", "projects"), _lists("Labeled Data", "Label"))),
    ("SuperAnnotate", (_has("metadata", "instances"),)),
    ("CreateML", (_lists("image", "annotations"),)),
    ("Scalabel", (_lists("name", "labels"),)),
    ("Datumaro", (_has("items", "categories"),)),
    ("GeoJSON", (_has("type", "features"),)),
    ("detections of a model, in COCO's form", (_lists("image_id", "category_id", "score"),)),
)


def other_tool(content: Any) -> str | None:
    """The tool that wrote parsed JSON; None for one that nobody here knows.

    >>> other_tool([{"data": {"image": "a.png"}, "annotations": []}])
    'Label Studio'
    """
    return next((tool for tool, tests in _TOOLS if any(told(content) for told in tests)), None)
