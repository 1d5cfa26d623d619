"""Into other tools: predictions, output folders and evaluations for FiftyOne, supervision, MLflow and Prometheus.

Label Studio, CVAT, COCO and GeoJSON are files: `detect --findings`, see :mod:`anomalyclip.detect.findings`. A package
of another tool is imported when it is asked for; where it is missing, one line names the extra that brings it.

>>> from anomalyclip.integrations import to_fiftyone
>>> dataset = to_fiftyone("results")  # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.integrations.fiftyone import to_fiftyone
    from anomalyclip.integrations.mlflow import log_evaluation
    from anomalyclip.integrations.supervision import to_supervision

__all__ = ["log_evaluation", "to_fiftyone", "to_supervision"]

_HOME = {
    "log_evaluation": "mlflow",
    "to_fiftyone": "fiftyone",
    "to_supervision": "supervision",
}

__getattr__, __dir__ = lazy(__name__, _HOME)
