"""The room as a whole: light to import, bounded in memory."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import numpy as np

from anomalyclip import metrics
from anomalyclip.metrics import PixelMetrics


def test_import_loads_neither_torch_nor_opencv() -> None:
    code = "import anomalyclip.metrics, sys; print([name for name in ('torch', 'cv2') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_exists() -> None:
    assert all(callable(getattr(metrics, name)) for name in metrics.__all__)


def test_streaming_memory_does_not_grow_with_the_number_of_images() -> None:
    random = np.random.default_rng(0)
    maps, masks = random.random((4, 200, 200), dtype=np.float32), random.random((4, 200, 200)) < 0.02
    row = PixelMetrics()
    row.update(maps, masks)
    tracemalloc.start()
    for _ in range(10):
        row.update(maps, masks)
    few = tracemalloc.get_traced_memory()[1]
    for _ in range(100):
        row.update(maps, masks)
    row.compute()
    many = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert few < 20e6
    assert many < few + 8e6
