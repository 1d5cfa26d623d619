"""What runs a model: torch, our own kernels, OpenVINO or onnxruntime, behind one face; and exports for other programs.

>>> from anomalyclip.runtime import open_detector
>>> detector = open_detector("pocket", runtime="openvino")   # doctest: +SKIP
>>> scores, maps = detector.predict(detector.preprocess(image)[None])   # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.runtime.detector import ExportedDetector
    from anomalyclip.runtime.export import ExportOptions, export_model
    from anomalyclip.runtime.native_detector import NativeDetector
    from anomalyclip.runtime.opening import faster_runtime, open_detector
    from anomalyclip.runtime.sidecar import Artefact, find_artefact, read_artefact
    from anomalyclip.runtime.torch_detector import TorchDetector

_HOME = {
    "Artefact": "sidecar",
    "ExportOptions": "export",
    "ExportedDetector": "detector",
    "NativeDetector": "native_detector",
    "TorchDetector": "torch_detector",
    "export_model": "export",
    "faster_runtime": "opening",
    "find_artefact": "sidecar",
    "open_detector": "opening",
    "read_artefact": "sidecar",
}

__all__ = [
    "Artefact",
    "ExportOptions",
    "ExportedDetector",
    "NativeDetector",
    "TorchDetector",
    "export_model",
    "faster_runtime",
    "find_artefact",
    "open_detector",
    "read_artefact",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
