"""Metrics of anomaly detection: a pure function and a streaming class per idea, in NumPy, checked input, rank-based.

Functions take tensors, arrays or lists, and return a Python float: NaN where the metric is undefined (the classes'
`undefined_reason()` says why). Classes take batches through `update`, join through `merge`, and keep either every score
(`mode="exact"`) or a fine histogram of constant size (`mode="streaming"`).
"""

from anomalyclip.metrics.bootstrap import Interval, bootstrap_interval
from anomalyclip.metrics.f1 import F1Max, F1Point, f1_max, f1_max_point
from anomalyclip.metrics.overlap import Dice, IoU, dice, iou
from anomalyclip.metrics.pixel import PixelMetrics
from anomalyclip.metrics.precision import AveragePrecision, average_precision
from anomalyclip.metrics.pro import AUPRO, aupro
from anomalyclip.metrics.roc import AUROC, auroc

__all__ = [
    "AUPRO",
    "AUROC",
    "AveragePrecision",
    "Dice",
    "F1Max",
    "F1Point",
    "Interval",
    "IoU",
    "PixelMetrics",
    "aupro",
    "auroc",
    "average_precision",
    "bootstrap_interval",
    "dice",
    "f1_max",
    "f1_max_point",
    "iou",
]
