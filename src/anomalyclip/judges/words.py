"""Words judge: every patch and the whole image against two text embeddings (METHOD section 5).

Object-agnostic prompts, two sentences, CLIP's and CLIP-AC's ensembles, CoOp's context and prompts that name the class
all end in such a pair, and differ in nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.encoders.base import Array, Encoder, Features
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.judges.base import Size, TextJudge
from anomalyclip.judges.text import TextEmbeddings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.prompts.readout import Readout
    from anomalyclip.settings import ModelSettings

    Floats = NDArray[np.float32]


class Words(TextJudge):
    """Softmax of the cosines to [normal, abnormal]: of the class token for the score, of patches for the map.

    Args:
        text: the pair.
        settings: ``layers``, ``dpam``, ``dpam_blocks`` and ``post_norm_class`` say which features, ``tau``, ``sigma``
            and ``peak`` how they are judged.
    """

    takes_tensors = True
    #: (L, 2, E) a pair for each of ``settings.layers`` that judges its patches in place of ``text``; None: text does
    local: Floats | None = None
    #: of a stem's stages, with its share in the picture's score
    readout: Readout | None = None

    def __init__(self, text: TextEmbeddings, settings: ModelSettings) -> None:
        self.text, self.settings = text, settings
        self.method = text.method
        self.peak = settings.peak

    def needs(self, encoder: Encoder) -> FeatureRequest:
        """The global feature, the local path's patches, and what is read out of a stem."""
        settings = self.settings
        return FeatureRequest(
            image=True,
            patches=tuple(dict.fromkeys(settings.layers)),
            dpam=settings.dpam,
            dpam_blocks=0 if settings.dpam == "qk" else settings.dpam_blocks,
            post_norm_class=settings.post_norm_class,
            summaries=() if self.readout is None else self.readout.stages,
            glance=settings.glance or None,
        )

    def judge(self, features: Features, size: Size) -> tuple[Array, Array]:
        """On tensors by torch, else in NumPy: the same but for rounding."""
        if isinstance(features.image, np.ndarray):
            from anomalyclip.judges.words_numpy import verdict_arrays

            return verdict_arrays(features, self.text.features, self.settings, size, self.local, self.readout)
        from anomalyclip.judges.words_torch import verdict_tensors

        return verdict_tensors(features, self.text.features, self.settings, size, self.local, self.readout)

    def with_text(self, text: TextEmbeddings) -> Words:
        """The same settings with another pair."""
        return Words(text, self.settings)

    def provenance(self) -> dict[str, Any]:
        """The words by name and hash."""
        return {"method": self.method, "prompts": self.text.name, "prompts_sha256": self.text.sha256}
