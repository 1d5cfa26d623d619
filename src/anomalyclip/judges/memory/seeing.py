"""Pictures -> views as :class:`anomalyclip.judges.memory.seen.Seen`, in one pass of the encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.judges.memory.seen import Seen, class_scores, on_patches
from anomalyclip.judges.verdicts import verdicts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array, Encoder, Features
    from anomalyclip.judges.base import Judge
    from anomalyclip.judges.memory.source import Source

    Floats = NDArray[np.float32]


def see(encoder: Encoder, words: Judge, source: Source, pixels: Array) -> list[Seen]:
    """Preprocessed views (B, 3, H, W) as :class:`Seen`, in one pass of the encoder."""
    features = encoder.run(pixels, words.needs(encoder) | source.request)
    given = features if words.takes_tensors else features.numpy()
    size = (pixels.shape[-2], pixels.shape[-1])
    scores, maps = verdicts_of(words, given, size, singly=encoder.device == "cpu")
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
