"""Hidden units that say what others say are taken out of a finished image tower (docs/pocket-log.md, run 46):
``python -m anomalyclip.pretraining.slimming model.safetensors slim.safetensors --hidden 128``.

Block by block: of the units of an MLP those go whose loss the others make up for best, and the second layer is fitted
anew by least squares to what the whole tower gave, so that it mends what the blocks before it have changed, too. The
text tower, the stem and all attention stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import torch
import typer
from torch import Tensor

from anomalyclip.clip.blocks import Block
from anomalyclip.clip.model import CLIP
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.data.synthetic import render
from anomalyclip.data.transforms import normalise
from anomalyclip.encoders.glance import shrunk
from anomalyclip.errors import ConfigError
from anomalyclip.pretraining.leaning import LEANED
from anomalyclip.pretraining.recipe import SLIMMING_SEED, TRAINED_WORLD, ReadoutRecipe, SlimRecipe
from anomalyclip.pretraining.shards import SEEN_FAMILIES

_ROWS = 150  # tokens of a picture that are looked at
_RIDGE = 1e-5  # of the mean variance of a unit


@torch.no_grad()
def slim(clip: CLIP, pictures: Iterable[Tensor], hidden: int, seed: int = 0) -> CLIP:
    """A CLIP whose image tower has ``hidden`` units in every MLP.

    Args:
        clip: finished; is left as it is.
        pictures: pixels (3, H, W) as the tower takes them, of every size that it will see.
        hidden: at most as many as it has.
        seed: of the tokens that are looked at.

    Raises:
        ConfigError: more hidden units than there are.
    """
    vision = clip.config.vision
    if hidden > (vision.mlp_width or 4 * vision.width):
        raise ConfigError(f"{hidden} hidden units are more than this tower has")
    slimmed = CLIP(replace(clip.config, vision=replace(vision, mlp_width=hidden))).eval()
    state = dict(clip.state_dict())
    wanted = torch.Generator().manual_seed(seed)
    ours = whole = [clip.visual.embed(one[None]) for one in pictures]  # the slim tower's tokens, and the whole one's
    for number, block in enumerate(cast("Sequence[Block]", clip.visual.transformer.resblocks)):
        ours = [one + block.attn(block.ln_1(one)) for one in ours]
        whole = [one + block.attn(block.ln_1(one)) for one in whole]
        some = [torch.randperm(one.shape[1], generator=wanted)[:_ROWS] for one in ours]
        units = [_hidden(block, one) for one in ours]
        targets = [block.mlp[2](_hidden(block, one)) for one in whole]
        kept, weight, bias = _fitted(
            torch.cat([one[0, rows] for one, rows in zip(units, some, strict=True)]),
            torch.cat([one[0, rows] for one, rows in zip(targets, some, strict=True)]),
            hidden,
        )
        ours = [one + each[..., kept] @ weight.T + bias for one, each in zip(ours, units, strict=True)]
        whole = [one + each for one, each in zip(whole, targets, strict=True)]
        name = f"visual.transformer.resblocks.{number}.mlp."
        state |= {f"{name}c_fc.{part}": state[f"{name}c_fc.{part}"][kept] for part in ("weight", "bias")}
        state |= {f"{name}c_proj.weight": weight, f"{name}c_proj.bias": bias}
    slimmed.load_state_dict(state)
    return slimmed


def _hidden(block: Block, x: Tensor) -> Tensor:
    """The MLP's units (1, N, hidden) after their activation."""
    first, activation, _ = block.mlp
    return cast("Tensor", activation(first(block.ln_2(x))))


def _fitted(units: Tensor, targets: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Which units (n, hidden) are kept, and the layer (D, count), (D,) from them to targets (n, D).

    With C the units' covariance and B that with the targets, W = C^-1 B; without unit i the squared error grows by
    |W_i|^2 / (C^-1)_ii, and both follow for the others without another inversion. One after another: of two that say
    the same one stays.
    """
    units, targets = units.double(), targets.double()
    mean, middle = units.mean(dim=0), targets.mean(dim=0)
    covariance = (units - mean).T @ (units - mean) / len(units)
    covariance += _RIDGE * covariance.diagonal().mean() * torch.eye(len(covariance), dtype=torch.float64)
    common = (units - mean).T @ (targets - middle) / len(units)
    kept = torch.arange(units.shape[1])
    inverse = torch.linalg.inv(covariance)
    weight = inverse @ common
    while len(kept) > count:
        gone = int((weight.square().sum(dim=1) / inverse.diagonal()).argmin())
        rest = torch.arange(len(kept)) != gone
        share = inverse[rest, gone] / inverse[gone, gone]
        inverse = inverse[rest][:, rest] - torch.outer(share, inverse[gone, rest])
        weight = weight[rest] - torch.outer(share, weight[gone])
        kept = kept[rest]
    weight = torch.linalg.solve(covariance[kept][:, kept], common[kept])  # without what so many steps have rounded
    return kept, weight.T.float().contiguous(), (middle - mean[kept] @ weight).float()


def rendered_pictures(side: int, count: int) -> Iterator[Tensor]:
    """Renders of the seen families, (3, side, side), and of every second one the glance."""
    glance = ReadoutRecipe().glance
    for index in range(count):
        sample = render(SLIMMING_SEED + index, side, families=SEEN_FAMILIES, world=TRAINED_WORLD)
        pixels = normalise(sample.image[None])
        yield torch.from_numpy(pixels[0])
        if index % 2:
            yield torch.from_numpy(shrunk(pixels, (glance, glance))[0])


def main(
    model: Annotated[Path, typer.Argument(help="Weights of ours.")],
    out: Annotated[Path, typer.Argument(help="The slim ones.")],
    hidden: Annotated[int, typer.Option(help="Hidden units of every MLP of the image tower.")] = SlimRecipe.hidden,
) -> None:
    """Weigh the units on renders, fit what stays, write the weights; prompts that were learned before fit them, too."""
    clip = load_clip(model)
    pictures = rendered_pictures(clip.config.vision.image_size, SlimRecipe.images)
    save_clip(out, slim(clip, pictures, hidden), unrounded=LEANED)


if __name__ == "__main__":
    typer.run(main)
