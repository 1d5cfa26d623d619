"""Good pictures seen once, from which the verdict of any memory without some of them follows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.encoders.base import as_numpy
from anomalyclip.judges.memory.fusion import class_scores, on_patches, parts_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array, Encoder, Features
    from anomalyclip.judges.base import Judge
    from anomalyclip.judges.memory.bank import Bank
    from anomalyclip.judges.memory.source import Source

    Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Seen:
    """One view as the encoder and the words judge saw it.

    Attributes:
        described: (N, D) unit vectors of its patches. grid: (h, w), N = h w.
        words: (N,) the words' map on patches. whole: what the words say of all of it, in (0, 1).
        anomaly_map: (H, W) the words' map at the model's input. score: their image score.
    """

    described: Floats
    grid: tuple[int, int]
    words: Floats
    whole: float
    anomaly_map: Floats
    score: float = math.nan


def see(encoder: Encoder, words: Judge, source: Source, pixels: Array) -> list[Seen]:
    """Preprocessed views (B, 3, H, W) as :class:`Seen`, in one pass of the encoder."""
    features = encoder.run(pixels, words.needs(encoder) | source.request)
    given = features if words.takes_tensors else features.numpy()
    scores, maps = (as_numpy(part) for part in words.judge(given, (pixels.shape[-2], pixels.shape[-1])))
    return seen_by(source, features.numpy(), scores, maps, words.peak)


def seen_by(source: Source, features: Features, scores: Floats, maps: Floats, peak: tuple[float, float]) -> list[Seen]:
    """Views as :class:`Seen`, of their features (NumPy) and the words' scores (B,), maps (B, H, W) and peak."""
    described = source.describe(features)
    whole = class_scores(scores, maps, peak)
    small = on_patches(maps, features.grid)
    return [
        Seen(described[index], features.grid, small[index], float(whole[index]), maps[index], float(scores[index]))
        for index in range(len(maps))
    ]


class HeldOut:
    """Views of one picture against a bank of P pictures, any of which can be left out afterwards.

    Args:
        views: of the picture. bank: of the good pictures.
        own: the picture's number in the bank, or that of the picture it was painted on; None is a stranger.

    Attributes:
        near: (views, P, parts, N) distance of each patch to the nearest patch of each picture of the bank.
    """

    def __init__(self, views: Sequence[Seen], bank: Bank, own: int | None) -> None:
        self.views, self.bank, self.own = views, bank, own
        self.near = [bank.by_picture(view.described, view.grid) for view in views]

    def distances(self, *without: int) -> list[Floats]:
        """(N,) of each view to a memory without its own picture and without those named."""
        return self._without(*without) if without else self._own_left_out

    @cached_property
    def _own_left_out(self) -> list[Floats]:
        """Asked for several times: of the statistics, of the kinds of pictures, of the maps."""
        return self._without()

    def _without(self, *without: int) -> list[Floats]:
        absent = {*without} | ({self.own} if self.own is not None else set())
        present = [number for number in range(len(self.near[0])) if number not in absent]
        return [
            self.bank.combined(near[present].min(axis=0), view.grid)
            for near, view in zip(self.near, self.views, strict=True)
        ]

    def by_picture(self) -> list[Floats]:
        """(P, N) of each view: distances to each picture of the bank alone."""
        return [
            np.stack([self.bank.combined(one, view.grid) for one in near])
            for near, view in zip(self.near, self.views, strict=True)
        ]

    def parts(self, *without: int) -> NDArray[np.float64]:
        """Statistics (views, 3), see :data:`anomalyclip.judges.memory.fusion.STATISTICS`."""
        rows = [
            parts_of(self.bank.source, view, distances)
            for view, distances in zip(self.views, self.distances(*without), strict=True)
        ]
        return np.stack(rows)
