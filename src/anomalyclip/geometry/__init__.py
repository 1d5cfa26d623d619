"""Large and odd images around any detector: which parts of an image go through the model, and how one map comes of it.

An image becomes `View`s (tiles, scales, input sizes in proportion), the detector judges each, an `Assembly` blends
their maps and scores; an `Area` says which pixels count. Nothing here knows how a detector works.

>>> from anomalyclip.geometry import Geometry, survey
>>> survey(model, image, Geometry(tile=512))  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.geometry.area import Area
    from anomalyclip.geometry.areas import Areas, parse_layout
    from anomalyclip.geometry.assembly import Assembly
    from anomalyclip.geometry.detector import Detector, ResizingDetector, check_detector
    from anomalyclip.geometry.settings import Box, Geometry, Layout
    from anomalyclip.geometry.surveying import Survey, survey
    from anomalyclip.geometry.views import View, plan_views, view_pixels

_HOME = {
    "Area": "area",
    "Areas": "areas",
    "Assembly": "assembly",
    "Box": "settings",
    "Detector": "detector",
    "Geometry": "settings",
    "Layout": "settings",
    "ResizingDetector": "detector",
    "Survey": "surveying",
    "View": "views",
    "check_detector": "detector",
    "parse_layout": "areas",
    "plan_views": "views",
    "survey": "surveying",
    "view_pixels": "views",
}

__all__ = [
    "Area",
    "Areas",
    "Assembly",
    "Box",
    "Detector",
    "Geometry",
    "Layout",
    "ResizingDetector",
    "Survey",
    "View",
    "check_detector",
    "parse_layout",
    "plan_views",
    "survey",
    "view_pixels",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
