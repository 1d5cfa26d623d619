"""The methods the paper compares with that need more than other words: WinCLIP's windows and VAND's linear layers.

CLIP, CLIP-AC and CoOp are AnomalyCLIP's own scoring with other prompts on CLIP's plain path; see ``docs/baselines.md``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.baselines.detector import FeatureDetector
    from anomalyclip.baselines.linear import (
        LinearFile,
        LinearLayers,
        check_linear,
        is_linear_file,
        load_linear,
        read_metadata,
        save_linear,
    )
    from anomalyclip.baselines.vand import VAND
    from anomalyclip.baselines.winclip import WinCLIP

__all__ = [
    "VAND",
    "FeatureDetector",
    "LinearFile",
    "LinearLayers",
    "WinCLIP",
    "check_linear",
    "is_linear_file",
    "load_linear",
    "read_metadata",
    "save_linear",
]

_HOME = {
    "FeatureDetector": "detector",
    "LinearFile": "linear",
    "LinearLayers": "linear",
    "VAND": "vand",
    "WinCLIP": "winclip",
    "check_linear": "linear",
    "is_linear_file": "linear",
    "load_linear": "linear",
    "read_metadata": "linear",
    "save_linear": "linear",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
