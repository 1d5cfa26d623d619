"""The transformer block of CLIP, with the dual-path step of DPAM."""

from __future__ import annotations

from collections import OrderedDict
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.attention import DPAMMode, SelfAttention, linear, plain_inference
from anomalyclip.clip.config import NORM_EPS, Activation, TextConfig, VisionConfig
from anomalyclip.native import activation as native
from anomalyclip.native import linear as products

_HIDDEN_NUMBERS = 3 * 2**20  # of the MLP at a time on a CPU: 12 MB, 768 rows of ViT-L; no more than its attention holds


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation OpenAI's weights were trained with.

    Without gradients it works in its input's memory, as silu(1.702 x) / 1.702: on a CPU that takes a sixth of the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            return x * torch.sigmoid(1.702 * x)
        return F.silu(x.mul_(1.702), inplace=True).mul_(1 / 1.702)


class GELU(nn.Module):
    """The exact GELU, of most models of open_clip."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x)


class TanhGELU(nn.Module):
    """GELU's approximation by a tanh."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"quick_gelu": QuickGELU, "gelu": GELU, "gelu_tanh": TanhGELU}


class MLP(nn.Sequential):
    """Linear to ``hidden`` units, activation, linear back, under OpenAI's names. Tokens ``(..., D)``.

    For rows (R, D) without gradients our own kernels add the first bias and take QuickGELU in one pass, where they fit,
    with or after the product: the same numbers but for rounding.
    """

    def __init__(self, width: int, activation: Activation, hidden: int = 0) -> None:
        hidden = hidden or 4 * width
        fc, projection = nn.Linear(width, hidden), nn.Linear(hidden, width)
        super().__init__(OrderedDict(c_fc=fc, act=ACTIVATIONS[activation](), c_proj=projection))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D)."""
        fc, act, projection = cast("tuple[nn.Linear, nn.Module, nn.Linear]", tuple(self))
        return linear(_activated(x, fc, act), projection.weight, projection.bias)


def _activated(x: Tensor, fc: nn.Linear, act: nn.Module) -> Tensor:
    """act(fc(x))."""
    if not (isinstance(act, QuickGELU) and x.dim() == 2 and plain_inference(x)):
        return cast("Tensor", act(linear(x, fc.weight, fc.bias)))
    if products.fits(x, fc.weight):
        return products.linear(x, fc.weight, fc.bias, quick_gelu=True)
    if native.fits(x, fc.out_features):
        return native.quick_gelu_(F.linear(x, fc.weight), fc.bias)
    return cast("Tensor", act(fc(x)))


class Block(nn.Module):
    """Pre-norm residual block: attention, then MLP. Tokens ``(B, N, D)``."""

    def __init__(
        self, width: int, heads: int, activation: Activation, *, hidden: int = 0, eps: float = NORM_EPS
    ) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width, eps=eps)
        self.mlp = MLP(width, activation, hidden)
        self.ln_2 = nn.LayerNorm(width, eps=eps)
        self._rows = max(256, _HIDDEN_NUMBERS // (hidden or 4 * width))

    def forward(self, x: Tensor, *, causal: bool = False, class_only: bool = False) -> Tensor:
        """h = x + Attn(LN1(x)); h + MLP(LN2(h)). ``class_only`` computes the class token alone, ``(B, 1, D)``."""
        attended = self.attn(self.ln_1(x), causal=causal, class_only=class_only)
        return self._feed_forward(_add(x[:, :1] if class_only else x, attended))

    def dual(
        self, original: Tensor, local: Tensor, mode: DPAMMode, *, class_only: bool = False
    ) -> tuple[Tensor, Tensor]:
        """One DPAM step (METHOD section 3): the local path adds self-similarity attention fed by the ORIGINAL tokens.

        The local path has no MLP and never feeds back into the original one, of which ``class_only`` computes the
        class token alone.
        """
        plain, own = self.attn.dual(self.ln_1(original), mode, class_only=class_only)
        return self._feed_forward(_add(original[:, :1] if class_only else original, plain)), _add(local, own)

    def _feed_forward(self, x: Tensor) -> Tensor:
        """x + MLP(LN2(x)); ``x`` is the attention's fresh sum, and without gradients its memory is taken."""
        if not plain_inference(x):
            return _add(x, self.mlp(self.ln_2(x)))
        # Row by row it is all the same; the hidden units of ViT-L's 1,370 tokens at once would take 22 MB.
        for rows in torch.split(x.view(-1, x.shape[-1]), self._rows):
            rows.add_(self.mlp(self.ln_2(rows)))
        return x


def _add(x: Tensor, fresh: Tensor) -> Tensor:
    """x + fresh, in the memory of ``fresh``, which is a linear layer's own output; x stays what it was.

    Under autocast ``fresh`` is of half precision, which the residual stream must not become.
    """
    return fresh.add_(x) if fresh.dtype == x.dtype else x + fresh


class Transformer(nn.Module):
    """A stack of blocks under OpenAI's name ``resblocks``."""

    def __init__(self, tower: VisionConfig | TextConfig) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(
            Block(tower.width, tower.heads, tower.activation, hidden=tower.mlp_width, eps=tower.norm_eps)
            for _ in range(tower.layers)
        )
