"""The procedural renderer: pictures of materials and objects, whole or with defects, with masks and captions.

Everything is drawn from random numbers; no photograph is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .catalogue import DEFECTS, FAMILIES, UNSEEN_FAMILIES
    from .rendering import render
    from .sample import Region, Sample
    from .scene import Family
    from .sheet import contact_sheet
    from .spot import Defect

_HOMES = {
    "DEFECTS": "catalogue",
    "FAMILIES": "catalogue",
    "UNSEEN_FAMILIES": "catalogue",
    "Defect": "spot",
    "Family": "scene",
    "Region": "sample",
    "Sample": "sample",
    "contact_sheet": "sheet",
    "render": "rendering",
}
__all__ = ["DEFECTS", "FAMILIES", "UNSEEN_FAMILIES", "Defect", "Family", "Region", "Sample", "contact_sheet", "render"]


def __getattr__(name: str) -> Any:
    """Import on first use, so that the package stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
