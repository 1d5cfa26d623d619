"""Large and odd images around any detector: which parts of an image go through the model, and how one map comes of it.

An image becomes `View`s (tiles, scales, input sizes in proportion), the detector judges each, an `Assembly` blends
their maps and scores; an `Area` says which pixels count. Nothing here knows how a detector works.

>>> from anomalyclip.geometry import Geometry, plan_views
>>> [view.box for view in plan_views((900, 500), Geometry(tile=500))][:2]
[Box(x=0, y=0, width=500, height=500), Box(x=200, y=0, width=500, height=500)]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.geometry.area import Area
    from anomalyclip.geometry.areas import Areas, parse_layout
    from anomalyclip.geometry.assembly import Assembly
    from anomalyclip.geometry.regions import Region, find_regions
    from anomalyclip.geometry.settings import Box, Geometry, Layout
    from anomalyclip.geometry.sizes import InputSizes
    from anomalyclip.geometry.views import View, batches_of, plan_views, view_pixels

_HOME = {
    "Area": "area",
    "Areas": "areas",
    "Assembly": "assembly",
    "Box": "settings",
    "Geometry": "settings",
    "InputSizes": "sizes",
    "Layout": "settings",
    "Region": "regions",
    "View": "views",
    "batches_of": "views",
    "find_regions": "regions",
    "parse_layout": "areas",
    "plan_views": "views",
    "view_pixels": "views",
}

__all__ = [
    "Area",
    "Areas",
    "Assembly",
    "Box",
    "Geometry",
    "InputSizes",
    "Layout",
    "Region",
    "View",
    "batches_of",
    "find_regions",
    "parse_layout",
    "plan_views",
    "view_pixels",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
