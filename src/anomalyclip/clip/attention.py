"""Multi-head self-attention, fused, with a second attention over the same projections for DPAM (METHOD section 3)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

DPAMMode = Literal["vv", "qq", "kk", "qk"]
"""Which projection attends to itself in the local path; ``qk`` switches the local path off (plain CLIP)."""

DPAM_MODES: tuple[DPAMMode, ...] = ("vv", "qq", "kk", "qk")


class SelfAttention(nn.Module):
    """Self-attention with OpenAI's parameter names. Tokens ``(B, N, D)`` in, ``(B, N, D)`` out.

    One product makes Q, K and V for every path, and no attention matrix is materialised (torch's SDPA).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, *, causal: bool = False, class_only: bool = False) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V, optionally causal, or for the class token alone: ``(B, 1, D)``."""
        q, k, v = self._qkv(x)
        return self._merge(F.scaled_dot_product_attention(q[:, :, :1] if class_only else q, k, v, is_causal=causal))

    def dual(self, x: Tensor, mode: DPAMMode, *, class_only: bool = False) -> tuple[Tensor, Tensor]:
        """Both outputs of a dual-path block: plain attention, and the self-similarity one, e.g. softmax(V V^T) V.

        ``class_only`` leaves the plain one to the class token, ``(B, 1, D)``: all that a last block's is needed for.
        """
        q, k, v = self._qkv(x)
        own = {"vv": v, "qq": q, "kk": k}[mode]
        plain = self._merge(F.scaled_dot_product_attention(q[:, :, :1] if class_only else q, k, v))
        return plain, self._merge(F.scaled_dot_product_attention(own, own, v))

    def _qkv(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        B, N, D = x.shape
        packed = F.linear(x, self.in_proj_weight, self.in_proj_bias).view(B, N, 3, self.heads, D // self.heads)
        # A head's rows side by side: rows 12 KB apart cost the attention of ViT-L a tenth of its time on a CPU.
        q, k, v = packed.permute(2, 0, 3, 1, 4).contiguous()  # each (B, heads, N, d)
        return q, k, v

    def _merge(self, x: Tensor) -> Tensor:
        """Join heads: (B, heads, N, d) to (B, N, D), then the output projection."""
        out: Tensor = self.out_proj(x.transpose(1, 2).flatten(2))
        return out
