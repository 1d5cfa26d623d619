"""Drawn scores with labels, and the metrics that rank them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from anomalyclip.metrics import (
    AUROC,
    AveragePrecision,
    F1Max,
    auroc,
    average_precision,
    f1_max,
)

CLASSES = {AUROC: auroc, AveragePrecision: average_precision, F1Max: f1_max}

each_class = pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)


@st.composite
def labelled_scores(draw: st.DrawFn, levels: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """2 to 60 scores on a coarse grid in [0, 1] (many ties), both classes present."""
    size = draw(st.integers(2, 60))
    scores = draw(st.lists(st.integers(0, levels), min_size=size, max_size=size))
    labels = draw(st.lists(st.booleans(), min_size=size - 2, max_size=size - 2))
    return np.array(scores) / levels, np.array([False, True, *labels])
