"""Zero-shot visual anomaly detection: AnomalyCLIP (ICLR 2024, arXiv 2310.18961) as software one can install.

>>> import anomalyclip
>>> model = anomalyclip.load("pocket")              # doctest: +SKIP
>>> prediction = model.detect("part.png")           # doctest: +SKIP
>>> prediction.score, prediction.anomaly_map.shape  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip import telemetry
from anomalyclip.errors import AnomalyClipError
from anomalyclip.lazy import lazy
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from anomalyclip.detector import Detector
    from anomalyclip.opening import from_files, load
    from anomalyclip.prediction import Prediction

__all__ = ["AnomalyClipError", "Detector", "Prediction", "__version__", "from_files", "load"]

telemetry.refuse()  # before anything of ours imports a library that sends

# Looked up on first use: importing the package must stay light (no torch).
_HOME = {
    "AnomalyClipError": "errors",
    "Detector": "detector",
    "Prediction": "prediction",
    "__version__": "version",
    "from_files": "opening",
    "load": "opening",
}

__getattr__, __dir__ = lazy(__name__, _HOME)
