"""The memory that a forward pass of the compiled encoder works in."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Workspace:
    """Everything for B images of N tokens; kept between calls, since fresh pages cost some 2% of an image's time.

    Nothing in it has to be cleared: whatever a pass reads, it wrote before.

    Attributes:
        shape: (B, N, D) of the tokens.
        original, local: both paths' tokens, float32 (B, N, D).
        qkv: float16, 3 B N D numbers.
        attended, attended_own: both attentions' outputs, float32 (B, N, D).
        taps: float32 (B, N, D), the local tokens of each layer that is asked for.
        benches: uint8, what each thread works in.
    """

    shape: tuple[int, int, int]
    original: Tensor
    local: Tensor
    qkv: Tensor
    attended: Tensor
    attended_own: Tensor
    taps: tuple[Tensor, ...]
    benches: tuple[Tensor, ...]

    @classmethod
    def of(cls, shape: tuple[int, int, int], taps: int, threads: int, bench_bytes: int) -> Workspace:
        """Uninitialised."""
        B, N, D = shape
        original, local, attended, attended_own = (torch.empty(shape) for _ in range(4))
        qkv = torch.empty(B, 3, N, D, dtype=torch.float16)
        tapped = tuple(torch.empty(shape) for _ in range(taps))
        benches = tuple(torch.empty(bench_bytes, dtype=torch.uint8) for _ in range(threads))
        return cls(shape, original, local, qkv, attended, attended_own, tapped, benches)

    def fits(self, shape: tuple[int, int, int], taps: int) -> bool:
        """Whether it was made for these."""
        return (self.shape, len(self.taps)) == (shape, taps)
