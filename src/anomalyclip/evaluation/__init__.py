"""Evaluation: a model and labelled images in; the paper's metrics per class and their mean, tables and plots out.

>>> from anomalyclip.evaluation import evaluate
>>> result = evaluate(anomalyclip.load("pocket"), dataset)    # doctest: +SKIP
>>> result.mean["image_auroc"], result.classes[0].values      # doctest: +SKIP
>>> result.save("results")                                    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from anomalyclip.evaluation.predictor import CacheSettings
    from anomalyclip.evaluation.result import METRICS, ClassResult, Evaluation, ImageRow
    from anomalyclip.evaluation.run import evaluate
    from anomalyclip.evaluation.settings import EvaluationSettings

_HOME = {
    "METRICS": "result",
    "CacheSettings": "predictor",
    "ClassResult": "result",
    "Evaluation": "result",
    "EvaluationSettings": "settings",
    "ImageRow": "result",
    "evaluate": "run",
}

__all__ = [
    "METRICS",
    "CacheSettings",
    "ClassResult",
    "Evaluation",
    "EvaluationSettings",
    "ImageRow",
    "evaluate",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
