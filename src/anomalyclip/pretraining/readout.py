"""Learn a read-out of pocket's stem from labelled pictures: ``python -m anomalyclip.pretraining.readout DATA OUT``.

DATA is a data set, such as `anomalyclip data make` renders; OUT becomes a file for `--prompts heads:OUT`, whose vectors
are those of the model's own prompts: maps stay as they are, only the picture's score is told more.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import torch
import typer
from rich.progress import track
from torch.nn import functional as F

from anomalyclip.data import open_dataset
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.io import read_image
from anomalyclip.judges.words import Words
from anomalyclip.opening import load
from anomalyclip.prompts import PromptMetadata
from anomalyclip.prompts.heads import METHOD, HeadsFile, save_heads
from anomalyclip.prompts.readout import Readout, statistics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.detector import Detector

    Floats = NDArray[np.float32]

PENALTY = 1e-3
"""Inverse strength of the ridge on standardised statistics; so strong that no single channel decides."""
SHARE, MAP_WEIGHT = 0.5, 0.4
"""Of the read-out in the picture's part of the score, and of the map's peak in the whole."""
_FLOOR = 0.01  # of a statistic's deviation: a channel that never moves decides nothing


def fit(values: Floats, labels: NDArray[np.int64], penalty: float = PENALTY) -> tuple[Floats, Floats, Floats, float]:
    """Ridge logistic regression: center, scale, weights (F,) and bias, for values (N, F) and labels (N,) of 0 and 1.

    Minimises sum of log losses + |weights|^2 / (2 penalty); the logit is then divided by its own deviation over the
    pictures, so that its odds are of one size whatever the ridge.
    """
    center, scale = values.mean(axis=0), values.std(axis=0) + _FLOOR
    spread = torch.from_numpy(np.clip((values - center) / scale, -6, 6)).double()
    truth = torch.from_numpy(labels).double()
    weights = torch.zeros(values.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=500, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logits = spread @ weights[:-1] + weights[-1]
        loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="sum")
        total: torch.Tensor = loss + weights[:-1].square().sum() / (2 * penalty)
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = weights.detach()
    size = float((spread @ found[:-1]).std()) or 1.0
    return center, scale, (found[:-1] / size).float().numpy(), float(found[-1]) / size


def learn(model: Detector, values: Floats, labels: NDArray[np.int64], stages: tuple[int, ...]) -> HeadsFile:
    """Heads with the model's own embeddings as vectors, and the read-out of these pictures' statistics.

    Raises ConfigError where the model does not judge by words, or all pictures are of one label.
    """
    judge, settings = model.judge, model.settings
    if not isinstance(judge, Words) or len(set(labels.tolist())) < 2:
        raise ConfigError("a read-out is learned beside a model's own prompts, from good and faulty pictures")
    pair = judge.text.features
    metadata = PromptMetadata(
        backbone=model.name,
        weights_sha256=model.weights_sha256,
        text_width=1,
        embed_dim=pair.shape[1],
        method=METHOD,
        training={"images": len(labels), "penalty": PENALTY},
        **{**vars(settings), "map_weight": MAP_WEIGHT},
    )
    center, scale, weights, bias = fit(values, labels)
    readout = Readout(stages, center, scale, weights, bias, SHARE)
    return HeadsFile(metadata, pair, np.stack([pair] * len(settings.layers)), readout)


def main(
    data: Annotated[Path, typer.Argument(help="A data set with good and faulty pictures.")],
    out: Annotated[Path, typer.Argument(help="The file of heads.")],
) -> None:
    """Run the stem over every picture, fit the read-out, write the file."""
    model = load("pocket", runtime="torch")
    assert isinstance(model.encoder, TorchEncoder)
    stages = tuple(model.encoder.visual.config.stem.taps)  # type: ignore[union-attr]  # pocket has a stem
    rows, labels = [], []
    for item in track(open_dataset(data).items, description="stem"):
        found = model.features(model.preprocess(read_image(item.image))[None], FeatureRequest(stages=stages))
        rows.append(statistics(found.stages, stages)[0])
        labels.append(item.label)
    save_heads(out, learn(model, np.stack(rows), np.array(labels), stages))


if __name__ == "__main__":
    typer.run(main)
