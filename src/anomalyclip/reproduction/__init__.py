"""The paper's tables, rerun on the data at hand: trainings and evaluations that end beside the published figures.

>>> from anomalyclip.reproduction import ReproduceConfig, reproduce
>>> reports = reproduce(ReproduceConfig(root="/data", output="runs/paper", model="vit-l-14-336"))  # doctest: +SKIP
>>> [row for row in reports[0].rows if row.verdict == "below"]                                     # doctest: +SKIP
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.reproduction.config import ReproduceConfig
    from anomalyclip.reproduction.finding import Found, find_datasets
    from anomalyclip.reproduction.pages import Report, Row
    from anomalyclip.reproduction.paper import TOLERANCES, paper_figures
    from anomalyclip.reproduction.plan import METHODS, TABLES
    from anomalyclip.reproduction.run import reproduce
    from anomalyclip.reproduction.watcher import Watcher

_HOME = {
    "METHODS": "plan",
    "TABLES": "plan",
    "TOLERANCES": "paper",
    "Found": "finding",
    "ReproduceConfig": "config",
    "Report": "pages",
    "Row": "pages",
    "Watcher": "watcher",
    "find_datasets": "finding",
    "paper_figures": "paper",
    "reproduce": "run",
}

__all__ = [
    "METHODS",
    "TABLES",
    "TOLERANCES",
    "Found",
    "Report",
    "ReproduceConfig",
    "Row",
    "Watcher",
    "find_datasets",
    "paper_figures",
    "reproduce",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
