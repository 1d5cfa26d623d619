"""Multi-head self-attention, fused, with a second attention over the same projections for DPAM (METHOD section 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalyclip.clip.config import DPAMMode as DPAMMode
from anomalyclip.native import attention as native
from anomalyclip.native import linear as products

Q, K, V = 0, 1, 2
"""Where the three lie in a packed projection."""


def plain_inference(x: Tensor) -> bool:
    """A plain tensor on the CPU, no gradients, nobody tracing or casting: memory may be reused, other code may run."""
    return (
        type(x) is Tensor
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
        and not torch._C._get_tracing_state()  # public only as the untyped torch.jit.is_tracing
    )


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x W^T + bias: torch's, or where that is known to be faster our own kernel's, which differs by rounding."""
    if plain_inference(x) and products.fits(x, weight):
        return products.linear(x, weight, bias)
    return F.linear(x, weight, bias)


class SelfAttention(nn.Module):
    """Self-attention with OpenAI's parameter names. Tokens ``(B, N, D)`` in, ``(B, N, D)`` out.

    One product makes Q, K and V for every path, and no attention matrix is materialised: torch's SDPA, or where it
    fits our own kernel (:mod:`anomalyclip.native.attention`), which differs by rounding.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, *, causal: bool = False, class_only: bool = False) -> Tensor:
        """softmax(Q K^T / sqrt(d)) V, optionally causal, or for the class token alone: ``(B, 1, D)``."""
        if not causal and plain_inference(x) and native.fits(x, self.heads):
            packed = linear(x, self.in_proj_weight)  # the kernel adds the bias on its way
            few = 1 if class_only else x.shape[1]
            return self._out(native.attention(packed, self.in_proj_bias, self.heads, Q, K, few))
        q, k, v = self._split(linear(x, self.in_proj_weight, self.in_proj_bias))
        return self._merge(F.scaled_dot_product_attention(q[:, :, :1] if class_only else q, k, v, is_causal=causal))

    def dual(self, x: Tensor, mode: DPAMMode, *, class_only: bool = False) -> tuple[Tensor, Tensor]:
        """Both outputs of a dual-path block: plain attention, and the self-similarity one, e.g. softmax(V V^T) V.

        ``class_only`` leaves the plain one to the class token, ``(B, 1, D)``: all that a last block's is needed for.
        """
        own, tokens = {"vv": V, "qq": Q, "kk": K}[mode], x.shape[1]
        if plain_inference(x) and native.fits(x, self.heads):
            packed, bias = linear(x, self.in_proj_weight), self.in_proj_bias
            del x  # whatever is alive here counts in the peak of memory
            plain = self._out(native.attention(packed, bias, self.heads, Q, K, 1 if class_only else tokens))
            local = native.attention(packed, bias, self.heads, own, own, tokens)
            del packed
            return plain, self._out(local)
        q, k, v = qkv = self._split(linear(x, self.in_proj_weight, self.in_proj_bias))
        plain = self._merge(F.scaled_dot_product_attention(q[:, :, :1] if class_only else q, k, v))
        return plain, self._merge(F.scaled_dot_product_attention(qkv[own], qkv[own], v))

    def _split(self, packed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        B, N, D3 = packed.shape
        # A head's rows side by side: rows 12 KB apart cost the attention of ViT-L a tenth of its time on a CPU.
        q, k, v = packed.view(B, N, 3, self.heads, D3 // 3 // self.heads).permute(2, 0, 3, 1, 4).contiguous()
        return q, k, v  # each (B, heads, N, d)

    def _merge(self, x: Tensor) -> Tensor:
        """Join heads: (B, heads, N, d) to (B, N, D), then the output projection."""
        return self._out(x.transpose(1, 2).flatten(2))

    def _out(self, x: Tensor) -> Tensor:
        return linear(x, self.out_proj.weight, self.out_proj.bias)
