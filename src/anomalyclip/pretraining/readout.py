"""Learn a read-out of pocket's stem from labelled pictures: ``python -m anomalyclip.pretraining.readout DATA OUT``.

DATA is a data set, such as `anomalyclip data make` renders, whose classes are the families; OUT becomes a file for
`--prompts heads:OUT`, whose pair is that of the model's own prompts: maps stay as they are, only the picture's score is
told more. The embedded heads were made so, of the renders that :class:`ReadoutRecipe` tells.
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
from anomalyclip.data.make import make_dataset
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.io import read_image
from anomalyclip.judges.words import Words
from anomalyclip.opening import load
from anomalyclip.pretraining.recipe import READOUT_WORLD, ReadoutRecipe
from anomalyclip.pretraining.shards import seen_families
from anomalyclip.prompts import PromptMetadata
from anomalyclip.prompts.heads import METHOD, HeadsFile, save_heads
from anomalyclip.prompts.readout import SPREAD, Readout, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.detector import Detector

    Floats = NDArray[np.float32]

_FLOOR = 0.01  # of a statistic's deviation: a channel that never moves decides nothing


def fit(
    values: Floats, labels: NDArray[np.int64], families: NDArray[np.str_], *, penalty: float = 1e-3, calm: float = 0.0
) -> tuple[Floats, Floats, Floats, float]:
    """Ridge logistic regression: center, scale, weights (F,) and bias, of values (N, F), labels and families (N,).

    Minimises the sum of log losses + |weights|^2 / (2 ``penalty``) + ``calm`` N v, v the variance between families of
    the mean logit of their good pictures: what a picture shows must not decide. The logit is then divided by its own
    deviation over the pictures, so that its odds are of one size whatever the terms.
    """
    center, scale = values.mean(axis=0), values.std(axis=0) + _FLOOR
    spread = torch.from_numpy(np.clip((values - center) / scale, -SPREAD, SPREAD)).double()
    truth = torch.from_numpy(labels).double()
    good = [torch.from_numpy((families == one) & (labels == 0)) for one in np.unique(families)]
    means = torch.stack([spread[chosen].mean(dim=0) for chosen in good if chosen.any()])
    apart = means - means.mean(dim=0)
    weights = torch.zeros(values.shape[1] + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=500, history_size=20, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        logits = spread @ weights[:-1] + weights[-1]
        loss = F.binary_cross_entropy_with_logits(logits, truth, reduction="sum")
        between = (apart @ weights[:-1]).square().mean()
        total: torch.Tensor = loss + weights[:-1].square().sum() / (2 * penalty) + calm * len(labels) * between
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = weights.detach()
    size = float((spread @ found[:-1]).std()) or 1.0
    return center, scale, (found[:-1] / size).float().numpy(), float(found[-1]) / size


def learn(
    model: Detector,
    values: Floats,
    labels: NDArray[np.int64],
    families: NDArray[np.str_],
    stages: tuple[int, ...],
    recipe: ReadoutRecipe,
) -> HeadsFile:
    """Heads with the model's own pair, and the read-out of these pictures' summaries (N, F).

    Raises ConfigError where the model does not judge by words, or all pictures are of one label.
    """
    judge, settings = model.judge, model.settings
    if not isinstance(judge, Words) or len(set(labels.tolist())) < 2:
        raise ConfigError("a read-out is learned beside a model's own prompts, from good and faulty pictures")
    told = {"images": len(labels), "families": sorted(set(families.tolist()))}
    metadata = PromptMetadata(
        backbone="pocket",
        weights_sha256=model.weights_sha256,
        text_width=1,
        embed_dim=judge.text.features.shape[1],
        method=METHOD,
        training=told | {"penalty": recipe.penalty, "calm": recipe.calm, "share": recipe.share},
        **{**vars(settings), "map_weight": recipe.map_weight},
    )
    fitted = fit(values, labels, families, penalty=recipe.penalty, calm=recipe.calm)
    return HeadsFile(metadata, judge.text.features, readout=Readout(stages, *fitted, recipe.share))


def read_out(model: Detector, data: Path, recipe: ReadoutRecipe) -> HeadsFile:
    """Run the stem over every picture of a data set, and :func:`learn`."""
    assert isinstance(model.encoder, TorchEncoder)
    stages = tuple(model.encoder.visual.config.stem.taps)  # type: ignore[union-attr]  # pocket has a stem
    rows, labels, families = [], [], []
    for item in track(open_dataset(data).items, description="stem"):
        pixels = model.preprocess(read_image(item.image))[None]
        rows.append(joined(model.features(pixels, FeatureRequest(summaries=stages)).summaries, stages)[0])
        labels.append(item.label)
        families.append(item.class_name)
    return learn(model, np.stack(rows), np.array(labels), np.array(families), stages, recipe)


def from_renders(model: Detector, folder: Path, recipe: ReadoutRecipe) -> HeadsFile:
    """Of renders that are made in ``folder``, or lie there: those of `anomalyclip data make` with the same settings."""
    names = seen_families(READOUT_WORLD)
    make_dataset(folder, recipe.images, size=model.image_size, seed=recipe.seed, families=names, resume=True)
    return read_out(model, folder, recipe)


def main(
    data: Annotated[Path, typer.Argument(help="A data set with good and faulty pictures.")],
    out: Annotated[Path, typer.Argument(help="The file of heads.")],
) -> None:
    """Run the stem over every picture, fit the read-out, write the file."""
    save_heads(out, read_out(load("pocket", prompts="pocket", runtime="torch"), data, ReadoutRecipe()))


if __name__ == "__main__":
    typer.run(main)
