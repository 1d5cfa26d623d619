"""Evaluation: a model and labelled images in; the paper's metrics per class and their mean, tables and plots out.

>>> from anomalyclip.evaluation import evaluate, save
>>> result = evaluate(anomalyclip.load("pocket"), dataset)    # doctest: +SKIP
>>> result.mean["image_auroc"], result.classes[0].values      # doctest: +SKIP
>>> save(result, "results")                                   # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.evaluation.files import save
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
    "save": "files",
}

__all__ = [
    "METRICS",
    "CacheSettings",
    "ClassResult",
    "Evaluation",
    "EvaluationSettings",
    "ImageRow",
    "evaluate",
    "save",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
