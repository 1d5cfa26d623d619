"""Zero-shot visual anomaly detection: AnomalyCLIP (ICLR 2024, arXiv 2310.18961) as software one can install.

>>> import anomalyclip
>>> model = anomalyclip.load("pocket")              # doctest: +SKIP
>>> prediction = model.detect("part.png")           # doctest: +SKIP
>>> prediction.score, prediction.anomaly_map.shape  # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import AnomalyClipError
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from anomalyclip.detector import Detector
    from anomalyclip.opening import from_files, load
    from anomalyclip.prediction import Prediction

__all__ = ["AnomalyClipError", "Detector", "Prediction", "__version__", "from_files", "load"]

# Looked up on first use: importing the package must stay light (no torch).
_LAZY = {
    "Detector": "anomalyclip.detector",
    "from_files": "anomalyclip.opening",
    "load": "anomalyclip.opening",
    "Prediction": "anomalyclip.prediction",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'anomalyclip' has no attribute {name!r}")
