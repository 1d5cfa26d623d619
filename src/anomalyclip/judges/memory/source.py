"""What a memory keeps of a picture: which features, and how they become one unit vector per patch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.neighbourhood import neighbourhood_mean, on_grid
from anomalyclip.judges.memory.search import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import EncoderFacts, Features

Kind = Literal["stages", "tokens", "patches"]


@dataclass(frozen=True)
class Source:
    """Features of some layers, each normalised, averaged over a neighbourhood, joined, and normalised again.

    Attributes:
        kind: "stages" of a convolutional stem, "tokens" of the original path, or "patches" of the local path.
        layers: which of them, numbered from 1.
        neighbourhood: side in patches of the mean around each patch; 1 is the patch alone.
    """

    kind: Kind
    layers: tuple[int, ...]
    neighbourhood: int = 3

    @property
    def request(self) -> FeatureRequest:
        """What an encoder is asked for."""
        wanted: dict[str, Any] = {self.kind: self.layers}
        return FeatureRequest(**wanted)

    def describe(self, features: Features) -> NDArray[np.float32]:
        """Unit vectors (B, N, D) of the N = h w patches, row by row.

        Raises ConfigError where a layer is missing in the features.
        """
        given: Mapping[int, Any] = getattr(features, self.kind)
        if missing := [layer for layer in self.layers if layer not in given]:
            raise ConfigError(f"the memory compares {self.kind} {missing}, which these features do not hold")
        rows, columns = features.grid
        levels = [
            on_grid(_grids(np.asarray(given[layer], np.float32), features.grid), features.grid) for layer in self.layers
        ]
        joined = np.concatenate([unit(level) for level in levels], axis=-1)
        described = unit(neighbourhood_mean(joined, self.neighbourhood))
        return described.reshape(len(described), rows * columns, -1)

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"layers": list(self.layers)}


def _grids(values: NDArray[np.float32], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Stages (B, C, h', w') or tokens (B, N, D) as (B, h', w', channels)."""
    return np.moveaxis(values, 1, -1) if values.ndim == 4 else values.reshape(len(values), *grid, -1)


def source_for(facts: EncoderFacts) -> Source:
    """What `auto` remembers with an encoder.

    With a stem: its stages on the grid of patches (pocket's 4 and 5). Else the tokens of the block at three quarters of
    the depth: one block, because each costs a search of its own.
    """
    if stages := tuple(number for number, stage in facts.stages.items() if stage.stride == facts.patch_size):
        return Source("stages", stages)
    return Source("tokens", (max(1, round(0.75 * facts.layers)),))
