"""How a run reads its images and its weights: what the records of training and of reproduction have in common."""

from __future__ import annotations

from dataclasses import dataclass

from anomalyclip.clip.config import Activation
from anomalyclip.clip.facts import Given
from anomalyclip.io.full_scale import FullScale
from anomalyclip.io.reading import Reading


@dataclass(frozen=True, kw_only=True)
class InputsConfig:
    """Attributes:
    max_pixels, full_scale: of images, see :class:`anomalyclip.io.reading.Reading`; larger ones are left out.
    activation, heads, architecture: of weights that do not say how they are to be read, see `anomalyclip.load`.
    """

    max_pixels: int | None = None
    full_scale: FullScale | None = None
    activation: Activation | None = None
    heads: tuple[int, int] | None = None
    architecture: str | None = None

    @property
    def told(self) -> Given:
        """What is said of weights that do not say it themselves."""
        return Given(self.activation, self.heads, self.architecture)

    @property
    def reading(self) -> Reading:
        """How images are read."""
        return Reading(self.max_pixels, full_scale=self.full_scale)
