"""A model as one graph for other programs, or for another runtime: made, verified against torch, kept with its record.

>>> from anomalyclip.export import ExportOptions, export_model
>>> export_model(anomalyclip.load("pocket"), Path("exported"), ExportOptions("onnx"))   # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.export.making import ExportOptions, export_model

_HOME = {"ExportOptions": "making", "export_model": "making"}

__all__ = ["ExportOptions", "export_model"]

__getattr__, __dir__ = lazy(__name__, _HOME)
