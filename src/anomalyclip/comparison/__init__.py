"""Comparison: finished runs of `evaluate`, or of `detect` with labels, in one table with their uncertainty.

>>> from anomalyclip.comparison import compare, read_methods
>>> found = compare(read_methods([Path("runs/a"), Path("runs/b")]))  # doctest: +SKIP
>>> found.tables["image_auroc"].differences[1]                        # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.comparison.comparing import Comparison, ImageDifference, MetricTable, compare
    from anomalyclip.comparison.runs import Method, Run, RunSet, read_methods
    from anomalyclip.comparison.statistics import Estimate, RankTest, paired_difference, placements, rank_test

_HOME = {
    "Comparison": "comparing",
    "Estimate": "statistics",
    "ImageDifference": "comparing",
    "Method": "runs",
    "MetricTable": "comparing",
    "RankTest": "statistics",
    "Run": "runs",
    "RunSet": "runs",
    "compare": "comparing",
    "paired_difference": "statistics",
    "placements": "statistics",
    "rank_test": "statistics",
    "read_methods": "runs",
}

__all__ = [
    "Comparison",
    "Estimate",
    "ImageDifference",
    "Method",
    "MetricTable",
    "RankTest",
    "Run",
    "RunSet",
    "compare",
    "paired_difference",
    "placements",
    "rank_test",
    "read_methods",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
