"""Finished runs of `evaluate` with scores of a known spread, made without a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalyclip.evaluation.files import save
from anomalyclip.evaluation.result import Evaluation, ImageRow
from anomalyclip.evaluation.run import summarise
from anomalyclip.evaluation.settings import EvaluationSettings

SETTINGS = EvaluationSettings(resamples=0)


@pytest.fixture
def evaluated(tmp_path: Path) -> Callable[..., Path]:
    """evaluated("a", {"bolt": (20, 10)}, shift=1.0) writes a run: classes -> (normal, anomalous) images."""

    def make(
        name: str,
        classes: dict[str, tuple[int, int]],
        *,
        shift: float,
        seed: int = 0,
        maps: bool = False,
        asked: dict[str, Any] | None = None,
        **told: Any,
    ) -> Path:
        rng = np.random.default_rng(seed)
        results = []
        for one, counts in classes.items():
            rows = []
            for label, count in enumerate(counts):
                kind = ("good", "bad")[label]
                scores = 1 / (1 + np.exp(-rng.normal(label * shift, 1, count)))
                own = [
                    {"pixel_auroc": float(score) ** 0.5} if maps and label and i else {}
                    for i, score in enumerate(scores)
                ]
                rows += [
                    ImageRow(f"{one}/{kind}/{i}.png", one, kind, label, float(score), **own[i])
                    for i, score in enumerate(scores)
                ]
            results.append(summarise(one, rows, SETTINGS.pixel_metrics(), 0, SETTINGS))
        data = {"name": told.pop("data", "parts"), "root": str(tmp_path), "split": "test", "problems": []}
        data["images"] = sum(map(sum, classes.values()))
        model = {"model": "m", "prompts": name, "prompts_sha256": name, "settings": {"image_size": 64}} | told
        save(Evaluation(data, tuple(results), model, asked or {}, {}), tmp_path / name)
        return tmp_path / name

    return make
