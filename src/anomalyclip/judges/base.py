"""The one face of every judge: features in, image scores and anomaly maps out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from anomalyclip.encoders.base import Array, Encoder, Features
from anomalyclip.encoders.request import FeatureRequest

if TYPE_CHECKING:
    from typing_extensions import Self

    from anomalyclip.judges.text import TextEmbeddings

Size = tuple[int, int]
"""(H, W) in pixels of the model's input."""


class Judge(ABC):
    """Pure: the same features give the same verdict. State made from pictures beforehand is part of the judge.

    Attributes:
        method: what results call it.
        takes_tensors: whether :meth:`judge` is given the encoder's own arrays (tensors where torch computes them);
            else they are NumPy.
        whole_batch: whether a picture's verdict depends on the others of its batch.
        peak: (weight, share) of the map's peak in the image score: its part, and the share of the map's pixels, the
            hottest, whose mean it is (0: the hottest alone).
    """

    method: str
    takes_tensors: bool = False
    whole_batch: bool = False
    peak: tuple[float, float] = (0.0, 0.0)

    @abstractmethod
    def needs(self, encoder: Encoder) -> FeatureRequest:
        """What it wants to be given by this encoder."""

    @abstractmethod
    def judge(self, features: Features, size: Size) -> tuple[Array, Array]:
        """Scores (B,) and maps (B, H, W) for ``size`` (H, W), float32, both in [0, 1].

        Raises:
            ConfigError: features that do not fit it.
        """

    @abstractmethod
    def provenance(self) -> dict[str, Any]:
        """What results say of it: "method", "prompts", "prompts_sha256", and whatever else decides its numbers."""

    def refusal(self, encoder: Encoder) -> str | None:
        """None if it can judge what this encoder gives, else a sentence with the remedy."""
        return encoder.offers(self.needs(encoder))


class TextJudge(Judge):
    """A judge that compares features with a pair of text embeddings; another pair gives another judge."""

    text: TextEmbeddings

    @abstractmethod
    def with_text(self, text: TextEmbeddings) -> Self:
        """The same with another pair; nothing else is copied."""
