"""The yardstick: the authors' computation restated, so that ratios come from one run (METHOD sections 3 and 5).

Per dual block both attention matrices are written out, every token goes through every block, each selected layer's map
is upsampled on its own, and SciPy filters image after image. The single-path blocks use torch's own multi-head
attention, as CLIP's do. Same numbers as the words judge on torch (:mod:`anomalyclip.judges.words`) but for rounding.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.bench.ceiling import tower_of
from anomalyclip.clip.blocks import Block, QuickGELU
from anomalyclip.encoders.glance import glance_size, sides
from anomalyclip.encoders.torch import as_tensor, shrunk_tensor
from anomalyclip.errors import ConfigError
from anomalyclip.judges.words import Words
from anomalyclip.scoring import cosines, image_score, on_grid, similarity, upsample, with_map_peak

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.clip.attention import SelfAttention
    from anomalyclip.detector import Detector
    from anomalyclip.encoders.base import Array


class Reference:
    """A detector over the weights and settings of ``model``, where they are; nothing is copied. Needs SciPy."""

    def __init__(self, model: Detector) -> None:
        self.model, self.visual = model, tower_of(model)
        if not isinstance(model.judge, Words):
            raise ConfigError(f"the reference judges by words, not by {model.method}")
        text, local, self.readout = model.judge.text.features, model.judge.local, model.judge.readout
        self.device = self.visual.proj.device
        self.text = torch.from_numpy(text).to(self.device)
        layers = len(model.settings.layers)
        self.pairs = [self.text] * layers if local is None else list(torch.from_numpy(local).to(self.device))

    def preprocess(self, image: Image) -> NDArray[Any]:
        """As the model's own."""
        return self.model.preprocess(image)

    @torch.inference_mode()
    def predict(self, pixels: Array) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Scores (B,) and maps (B, S, S) of normalised images (B, 3, S, S)."""
        from scipy.ndimage import gaussian_filter

        settings = self.model.settings
        pixel_values = as_tensor(pixels).to(self.device)
        image, patches, stages = self._encode(pixel_values)
        if glance := glance_size(*sides(pixel_values), settings.glance, self.visual.config.patch_size):
            image, _, stages = self._encode(shrunk_tensor(pixel_values, glance))
        total = torch.zeros(len(pixel_values), settings.image_size, settings.image_size, device=self.device)
        odds = settings.smoothed == "log-odds"
        for features, pair in zip(patches, self.pairs, strict=True):
            likely = cosines(features, pair) / settings.tau if odds else similarity(features, pair, settings.tau)
            both = upsample(on_grid(likely), settings.image_size)
            total += both[:, 1] - both[:, 0] if odds else (both[:, 1] + 1 - both[:, 0]) / 2
        mean = (total / len(patches)).cpu().numpy()
        maps = torch.stack([torch.from_numpy(gaussian_filter(one, sigma=settings.sigma)) for one in mean])
        maps = maps.sigmoid() if odds else maps
        scores = image_score(image, self.text, settings.tau).cpu()
        if self.readout is not None:
            scores = torch.from_numpy(self.readout.mixed(scores.numpy(), _summaries(stages)))
        return with_map_peak(scores, maps, *settings.peak).numpy(), maps.numpy()

    def _encode(self, pixel_values: Tensor) -> tuple[Tensor, list[Tensor], Mapping[int, Tensor]]:
        visual, settings = self.visual, self.model.settings
        depth = visual.config.layers
        first_dual = depth + 1 if settings.dpam == "qk" else depth - settings.dpam_blocks + 1
        wanted = () if self.readout is None else self.readout.stages
        embedded, grid, stages = visual.with_stages(pixel_values, wanted)
        x = local = visual.add_positions(embedded, grid)
        found: dict[int, Tensor] = {}
        for number, block in enumerate(cast("list[Block]", visual.transformer.resblocks), start=1):
            attention = block.attn
            normed = block.ln_1(x)
            if number < first_dual:
                x = x + _library_attention(attention, normed)
                x = local = x + _mlp(block, x)
            else:
                plain, own = _explicit_attention(attention, normed, settings.dpam)
                x = x + plain
                x = x + _mlp(block, x)
                local = local + own
            if number in settings.layers:
                found[number] = visual.ln_post(local)[:, 1:] @ visual.proj
        first = visual.ln_post(x[:, 0]) if settings.post_norm_class else x[:, 0]
        return first @ visual.proj, [found[layer] for layer in settings.layers], stages


def _summaries(stages: Mapping[int, Tensor]) -> dict[int, NDArray[np.float32]]:
    """NumPy's mean, deviation and maximum of every channel (B, 3 C), side by side."""
    found = {}
    for number, stage in stages.items():
        places = stage.flatten(2).cpu().numpy()
        found[number] = np.concatenate([places.mean(axis=2), places.std(axis=2), places.max(axis=2)], axis=1)
    return found


def _explicit_attention(attention: SelfAttention, x: Tensor, mode: str) -> tuple[Tensor, Tensor]:
    """Plain and self-similarity attention with both (B, heads, N, N) matrices in memory."""
    B, N, D = x.shape
    packed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
    q, k, v = packed.reshape(B, N, 3, attention.heads, D // attention.heads).permute(2, 0, 3, 1, 4)
    scale = (D // attention.heads) ** -0.5
    own = {"vv": v, "qq": q, "kk": k}[mode]
    plain = ((q @ k.transpose(-2, -1)) * scale).softmax(dim=-1)
    local = ((own @ own.transpose(-2, -1)) * scale).softmax(dim=-1)
    joined = [(matrix @ v).transpose(1, 2).reshape(B, N, D) for matrix in (plain, local)]
    return attention.out_proj(joined[0]), attention.out_proj(joined[1])


def _library_attention(attention: SelfAttention, x: Tensor) -> Tensor:
    rows = x.transpose(0, 1)  # torch's function wants (N, B, D)
    out, _ = F.multi_head_attention_forward(
        rows, rows, rows, x.shape[2], attention.heads, attention.in_proj_weight, attention.in_proj_bias,
        None, None, False, 0.0, attention.out_proj.weight, attention.out_proj.bias, training=False, need_weights=False,
    )  # fmt: skip
    return out.transpose(0, 1)


def _mlp(block: Block, x: Tensor) -> Tensor:
    fc, activation, projection = cast("list[nn.Module]", block.mlp)
    inner = fc(block.ln_2(x))
    inner = inner * torch.sigmoid(1.702 * inner) if isinstance(activation, QuickGELU) else F.gelu(inner)
    out: Tensor = projection(inner)
    return out
