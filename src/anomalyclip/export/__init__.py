"""A model as one graph for other programs, or for another runtime: made, verified against torch, kept with its record.

>>> from anomalyclip.export import ExportOptions, export_model
>>> export_model(anomalyclip.load("pocket"), Path("exported"), ExportOptions("onnx"))   # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.export.making import ExportOptions, export_model

_HOME = {"ExportOptions": "making", "export_model": "making"}

__all__ = ["ExportOptions", "export_model"]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
