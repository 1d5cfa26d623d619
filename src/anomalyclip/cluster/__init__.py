"""Detection on a Ray cluster: a manifest of inputs in blocks, workers that hold the model, one Parquet file per block.

Ray's actors are used, its data library is not. When a worker dies, that library keeps its blocks until that very actor
can start again, and its Parquet files have other names in every run (docs/scale.md has the measurement). Here the
driver hands a dead worker's blocks to the living at once, and a block's file name depends on the block alone: whoever
writes it, and however often, there is one file with one row per input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.cluster.manifest import Block, Manifest
    from anomalyclip.cluster.run import ClusterRun
    from anomalyclip.cluster.session import connected
    from anomalyclip.cluster.worker import Plan, Receipt

_HOME = {
    "Block": "manifest",
    "ClusterRun": "run",
    "Manifest": "manifest",
    "Plan": "worker",
    "Receipt": "worker",
    "connected": "session",
}

__all__ = ["Block", "ClusterRun", "Manifest", "Plan", "Receipt", "connected"]

__getattr__, __dir__ = lazy(__name__, _HOME)
