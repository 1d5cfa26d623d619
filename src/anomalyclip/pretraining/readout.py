"""Learn a read-out of pocket's stem from labelled pictures: ``python -m anomalyclip.pretraining.readout DATA OUT``.

DATA is a data set, such as `anomalyclip data make` renders, whose classes are the families; OUT becomes a file for
`--prompts heads:OUT`, whose pair is that of the model's own prompts: maps stay as they are, only the picture's score is
told more. The embedded heads were made so, of the renders that :class:`ReadoutRecipe` tells and others on photographs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import torch
import typer
from PIL.Image import fromarray
from rich.progress import track
from torch.nn import functional as F

from anomalyclip.data import open_dataset
from anomalyclip.data.make import make_dataset
from anomalyclip.data.synthetic import render
from anomalyclip.data.synthetic.catalogue import LATEST_WORLD
from anomalyclip.data.synthetic.looks import another
from anomalyclip.data.synthetic.photographs import Photograph, families
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.encoders.torch import TorchEncoder
from anomalyclip.errors import ConfigError
from anomalyclip.io import read_image
from anomalyclip.judges.words import Words
from anomalyclip.opening import load
from anomalyclip.pretraining.photographs import gathered
from anomalyclip.pretraining.recipe import READOUT_WORLD, ReadoutRecipe
from anomalyclip.pretraining.shards import seen_families
from anomalyclip.prompts import PromptMetadata
from anomalyclip.prompts.heads import METHOD, HeadsFile, save_heads
from anomalyclip.prompts.readout import SPREAD, Readout, joined

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector

    Floats = NDArray[np.float32]

_PHOTOGRAPH_SEED = 70_000_000
_FLOOR = 0.01  # of a statistic's deviation: a channel that never moves decides nothing


class Seen(NamedTuple):
    """Summaries of N pictures, values (N, F), and of another look at each, looks (N, F); labels and families (N,)."""

    values: Floats
    looks: Floats
    labels: NDArray[np.int64]
    families: NDArray[np.str_]


def fit(
    seen: Seen, *, penalty: float = 1e-3, calm: float = 0.0, steady: float = 0.0
) -> tuple[Floats, Floats, Floats, float]:
    """Ridge logistic regression: center, scale, weights (F,) and bias.

    Minimises the sum of log losses + |weights|^2 / (2 ``penalty``) + ``calm`` N v + ``steady`` N d, v the variance
    between families of the mean logit of their good pictures, d the mean squared difference of the logits of two looks
    of a picture: what a picture shows, and how it was taken, must not decide. The logit is then divided by its own
    deviation over the pictures, so that its odds are of one size whatever the terms.
    """
    values, labels, families = seen.values, seen.labels, seen.families
    center, scale = values.mean(axis=0), values.std(axis=0) + _FLOOR
    spread, other = (
        torch.from_numpy(np.clip((one - center) / scale, -SPREAD, SPREAD)).double() for one in (values, seen.looks)
    )
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
        moved = ((spread - other) @ weights[:-1]).square().mean()
        asked = len(labels) * (calm * between + steady * moved)
        total: torch.Tensor = loss + weights[:-1].square().sum() / (2 * penalty) + asked
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(closure)  # type: ignore[no-untyped-call]
    found = weights.detach()
    size = float((spread @ found[:-1]).std()) or 1.0
    return center, scale, (found[:-1] / size).float().numpy(), float(found[-1]) / size


def learn(model: Detector, seen: Seen, stages: tuple[int, ...], recipe: ReadoutRecipe) -> HeadsFile:
    """Heads with the model's own pair, and the read-out of these pictures' summaries.

    Raises ConfigError where the model does not judge by words, or all pictures are of one label.
    """
    judge, settings = model.judge, model.settings
    if not isinstance(judge, Words) or len(set(seen.labels.tolist())) < 2:
        raise ConfigError("a read-out is learned beside a model's own prompts, from good and faulty pictures")
    told = {"images": len(seen.labels), "families": sorted(set(seen.families.tolist()))}
    terms = {"penalty": recipe.penalty, "calm": recipe.calm, "steady": recipe.steady}
    metadata = PromptMetadata(
        backbone="pocket",
        weights_sha256=model.weights_sha256,
        text_width=1,
        embed_dim=judge.text.features.shape[1],
        method=METHOD,
        training=told | terms | {"share": recipe.share},
        **{**vars(settings), **{name: getattr(recipe, name) for name in ("map_weight", "glance", "smoothed")}},
    )
    return HeadsFile(metadata, judge.text.features, readout=Readout(stages, *fit(seen, **terms), recipe.share))


def looked_at(model: Detector, pictures: Iterable[tuple[Image, int, str]], recipe: ReadoutRecipe) -> Seen:
    """Run the stem over a glance at pictures with their labels and families, and at another look of each."""
    stages, rows, looks, labels, families = _stages(model), [], [], [], []
    wanted = FeatureRequest(summaries=stages, glance=recipe.glance)

    def summaries(picture: Image) -> Floats:
        pixels = model.preprocess(picture)[None]
        row: Floats = joined(model.features(pixels, wanted).summaries, stages)[0]
        return row

    for number, (picture, label, family) in enumerate(pictures):
        rng = np.random.default_rng([recipe.seed, number])
        rows.append(summaries(picture))
        looks.append(summaries(fromarray(another(rng, np.asarray(picture)))))
        labels.append(label)
        families.append(family)
    return Seen(np.stack(rows), np.stack(looks), np.array(labels), np.array(families))


def read_out(model: Detector, data: Path, recipe: ReadoutRecipe, *, photographs: Path | None = None) -> HeadsFile:
    """Look at every picture of a data set, and at renders on the photographs of a folder, and :func:`learn`."""
    items = open_dataset(data).items
    of_data = ((read_image(item.image), item.label, item.class_name) for item in items)
    on_photographs = () if photographs is None else _on(gathered(photographs), recipe, model.image_size)
    total = len(items) + (recipe.photographs if photographs else 0)
    pictures = track(chain(of_data, on_photographs), total=total, description="stem")
    return learn(model, looked_at(model, pictures, recipe), _stages(model), recipe)


def _stages(model: Detector) -> tuple[int, ...]:
    assert isinstance(model.encoder, TorchEncoder)
    return tuple(model.encoder.visual.config.stem.taps)  # type: ignore[union-attr]  # pocket has a stem


def _on(photographs: list[Photograph], recipe: ReadoutRecipe, size: int) -> Iterator[tuple[Image, int, str]]:
    """Renders on every photograph in turn, good and faulty; one family, for they are few of each."""
    table = families(photographs)
    for number in range(recipe.photographs):
        faulty = bool((number // len(table) + number) % 2)
        seed = recipe.seed << 32 | _PHOTOGRAPH_SEED + number
        sample = render(seed, size, families=[table[number % len(table)]], world=LATEST_WORLD, anomalous=faulty)
        yield fromarray(sample.image), int(faulty), "photograph"


def from_renders(model: Detector, folder: Path, recipe: ReadoutRecipe) -> HeadsFile:
    """Of renders that are made in ``folder``, or lie there: those of `anomalyclip data make` with the same settings."""
    names = seen_families(READOUT_WORLD)
    make_dataset(folder, recipe.images, size=model.image_size, seed=recipe.seed, families=names, resume=True)
    return read_out(model, folder, recipe, photographs=folder.with_name(f"{folder.name}-photographs"))


def main(
    data: Annotated[Path, typer.Argument(help="A data set with good and faulty pictures.")],
    out: Annotated[Path, typer.Argument(help="The file of heads.")],
    photographs: Annotated[
        Path | None, typer.Option(help="Also render on photographs of surfaces, which pip brings into this folder.")
    ] = None,
) -> None:
    """Run the stem over every picture, fit the read-out, write the file."""
    model = load("pocket", prompts="pocket", runtime="torch")
    save_heads(out, read_out(model, data, ReadoutRecipe(), photographs=photographs))


if __name__ == "__main__":
    typer.run(main)
