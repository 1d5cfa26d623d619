"""The transformer block of CLIP, with the dual-path step of DPAM."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.attention import DPAMMode, SelfAttention
from anomalyclip.clip.config import Activation


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), the activation OpenAI's weights were trained with."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(1.702 * x)


class GELU(nn.Module):
    """The exact GELU, used by some open_clip and Hugging Face checkpoints."""

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(x)


ACTIVATIONS: dict[Activation, type[nn.Module]] = {"quick_gelu": QuickGELU, "gelu": GELU}


class Block(nn.Module):
    """Pre-norm residual block: attention, then MLP. Tokens ``(B, N, D)``."""

    def __init__(self, width: int, heads: int, activation: Activation) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads)
        self.ln_1 = nn.LayerNorm(width)
        self.mlp = nn.Sequential(
            OrderedDict(
                c_fc=nn.Linear(width, 4 * width), act=ACTIVATIONS[activation](), c_proj=nn.Linear(4 * width, width)
            )
        )
        self.ln_2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, *, causal: bool = False) -> Tensor:
        """h = x + Attn(LN1(x)); h + MLP(LN2(h))."""
        x = x + self.attn(self.ln_1(x), causal=causal)
        return self._feed_forward(x)

    def dual(self, original: Tensor, local: Tensor, mode: DPAMMode) -> tuple[Tensor, Tensor]:
        """One DPAM step (METHOD section 3): the local path adds self-similarity attention fed by the ORIGINAL tokens.

        The local path has no MLP and never feeds back into the original one.
        """
        plain, own = self.attn.dual(self.ln_1(original), mode)
        return self._feed_forward(original + plain), local + own

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.mlp(self.ln_2(x))
        return out


class Transformer(nn.Module):
    """A stack of blocks under OpenAI's name ``resblocks``."""

    def __init__(self, width: int, layers: int, heads: int, activation: Activation) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, activation) for _ in range(layers))
