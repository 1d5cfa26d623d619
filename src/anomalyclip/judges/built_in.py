"""The judge that lives inside a graph: whoever exported the model built it in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anomalyclip.encoders.base import Array, Encoder, Features
from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.judges.base import Judge, Size


class BuiltIn(Judge):
    """Hands on the graph's own scores and maps.

    Args:
        recorded: the exported model's provenance.
        peak: the map's part in the score that the graph gives, see :class:`Judge`.
    """

    def __init__(self, recorded: Mapping[str, Any], peak: tuple[float, float]) -> None:
        self.recorded = dict(recorded)
        self.method = str(recorded.get("method", "anomalyclip"))
        self.peak = peak

    def needs(self, encoder: Encoder) -> FeatureRequest:
        """The verdict."""
        return FeatureRequest(verdict=True)

    def judge(self, features: Features, size: Size) -> tuple[Array, Array]:
        """What the graph said."""
        if features.verdict is None:
            raise ConfigError("these features hold no scores and maps of a graph's own judge")
        return features.verdict

    def provenance(self) -> dict[str, Any]:
        """The exported model's, with its own version."""
        return self.recorded
