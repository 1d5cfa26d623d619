"""Data sets: what is where on disk, who is normal, which mask belongs to which image. And transforms, and rendering.

```python
dataset = open_dataset("mvtec_anomaly_detection")  # or a meta.json, a CSV, a plain folder
dataset.classes, dataset.levels
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.data.check import Report, check_dataset
    from anomalyclip.data.dataset import Dataset, Item, levels_of
    from anomalyclip.data.known import KNOWN, Known, find_known, place, recognise
    from anomalyclip.data.make import make_dataset
    from anomalyclip.data.meta import write_meta
    from anomalyclip.data.opening import open_dataset
    from anomalyclip.data.samples import load_mask, load_sample
    from anomalyclip.data.standins import is_standin, make_standin

_HOME = {
    "KNOWN": "known",
    "Dataset": "dataset",
    "Item": "dataset",
    "Known": "known",
    "Report": "check",
    "check_dataset": "check",
    "find_known": "known",
    "is_standin": "standins",
    "levels_of": "dataset",
    "load_mask": "samples",
    "load_sample": "samples",
    "make_dataset": "make",
    "make_standin": "standins",
    "open_dataset": "opening",
    "place": "known",
    "recognise": "known",
    "write_meta": "meta",
}

__all__ = [
    "KNOWN",
    "Dataset",
    "Item",
    "Known",
    "Report",
    "check_dataset",
    "find_known",
    "is_standin",
    "levels_of",
    "load_mask",
    "load_sample",
    "make_dataset",
    "make_standin",
    "open_dataset",
    "place",
    "recognise",
    "write_meta",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
