"""What a memory keeps of a picture: which features, how they become vectors of its patches, how these are compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from anomalyclip.encoders.request import FeatureRequest
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.neighbourhood import joined_levels, locally_aware, neighbourhood_mean, on_grid
from anomalyclip.judges.memory.recipes import AUTO, check_recipe, form_of
from anomalyclip.judges.memory.search import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.base import EncoderFacts, Features

    Floats = NDArray[np.float32]

Kind = Literal["stages", "tokens", "patches"]
WINDOWS = (2, 3)
"""Sides in patches of WinCLIP's windows."""
_WIDEST = 1024


@dataclass(frozen=True)
class Source:
    """Features of some layers, brought to a vector per patch.

    Attributes:
        kind: "stages" of a convolutional stem, "tokens" of the original path, or "patches" of the local path.
        layers: which of them, numbered from 1.
        neighbourhood: side in patches of the mean around each patch; 1 is the patch alone.
        recipe: whose method it is, see :mod:`anomalyclip.judges.memory.recipes`.
        widths: columns of a vector that are compared apart; () is all at once.
        aligned: compare with patches at most so many patches away, in rows and in columns; None is anywhere.
    """

    kind: Kind
    layers: tuple[int, ...]
    neighbourhood: int = 3
    recipe: str = AUTO
    widths: tuple[int, ...] = ()
    aligned: int | None = None

    @property
    def request(self) -> FeatureRequest:
        """What an encoder is asked for."""
        wanted: dict[str, Any] = {self.kind: self.layers}
        if form_of(self.recipe) == "windows":
            wanted["windows"] = WINDOWS
        return FeatureRequest(**wanted)

    def describe(self, features: Features) -> Floats:
        """Vectors (B, N, D) of the N = h w patches, row by row.

        Joined: each layer normalised, averaged over the neighbourhood, joined, and normalised again.

        Raises ConfigError where a layer is missing in the features.
        """
        given: Mapping[int, Any] = getattr(features, self.kind)
        if missing := [layer for layer in self.layers if layer not in given]:
            raise ConfigError(f"the memory compares {self.kind} {missing}, which these features do not hold")
        levels = [_grids(np.asarray(given[layer], np.float32), features.grid) for layer in self.layers]
        described = _FORMS[form_of(self.recipe)](self, levels, features)
        flat = described.reshape(len(described), described.shape[1] * described.shape[2], -1)
        return np.ascontiguousarray(flat)  # for whoever searches it, or writes its bytes

    def restored(self, rows: NDArray[np.float16]) -> Floats:
        """Vectors (M, D) of stored ones: rounding has changed their length."""
        given = rows.astype(np.float32)
        if form_of(self.recipe) == "pooled":
            return given
        return np.concatenate([unit(given[:, part]) for part in self.parts(given.shape[1])], axis=1)

    def parts(self, width: int) -> list[slice]:
        """Columns that are compared apart."""
        ends = np.cumsum(self.widths or (width,)).tolist()
        return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def record(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"layers": list(self.layers), "widths": list(self.widths)}


def _joined(source: Source, levels: list[Floats], features: Features) -> Floats:
    near = [on_grid(level, features.grid) for level in levels]
    return unit(neighbourhood_mean(np.concatenate([unit(level) for level in near], axis=-1), source.neighbourhood))


def _levels(source: Source, levels: list[Floats], features: Features) -> Floats:
    return np.concatenate([unit(on_grid(level, features.grid)) for level in levels], axis=-1)


def _windows(source: Source, levels: list[Floats], features: Features) -> Floats:
    """Beside each patch the windows of which it is the upper left corner; zeros where there is none."""
    rows, columns = features.grid
    found = [unit(levels[0])]
    for side in WINDOWS:
        windows = unit(np.asarray(features.windows[side], np.float32))
        placed = np.zeros((len(windows), rows, columns, windows.shape[-1]), np.float32)
        placed[:, : rows - side + 1, : columns - side + 1] = windows.reshape(
            len(windows), rows - side + 1, columns - side + 1, -1
        )
        found.append(placed)
    return np.concatenate(found, axis=-1)


def _pooled(source: Source, levels: list[Floats], features: Features) -> Floats:
    width = min(_WIDEST, max(level.shape[-1] for level in levels))
    near = [on_grid(locally_aware(level, source.neighbourhood, width), features.grid) for level in levels]
    return joined_levels(near, width)


_FORMS = {"joined": _joined, "levels": _levels, "windows": _windows, "pooled": _pooled}


def _grids(values: Floats, grid: tuple[int, int]) -> Floats:
    """Stages (B, C, h', w') or tokens (B, N, D) as (B, h', w', channels)."""
    return np.moveaxis(values, 1, -1) if values.ndim == 4 else values.reshape(len(values), *grid, -1)


def source_for(facts: EncoderFacts, recipe: str = AUTO, aligned: int | None = None) -> Source:
    """What a recipe remembers with an encoder. Ask the encoder whether it offers the source's request.

    auto: with a stem, its stages on the grid of patches (pocket's 4 and 5); else the tokens of the block at three
    quarters of the depth: one block, because each costs a search of its own. april-gan: the tokens at each quarter of
    the depth. winclip+: windows of 2 and 3 patches, and the last block's tokens. anomalydino: the last block's tokens.
    patchcore: the stem's last stages at half the patch and at the patch, else tokens at half and three quarters of the
    depth.

    Raises ConfigError for an unknown recipe, or `aligned` with windows.
    """
    check_recipe(recipe)
    if aligned is not None and recipe == "winclip+":
        raise ConfigError("winclip+ compares windows wherever they lie; leave --aligned out")
    depth = facts.layers
    if recipe == "april-gan":
        layers = tuple(sorted({max(1, round(depth * quarter / 4)) for quarter in (1, 2, 3, 4)}))
        return Source("tokens", layers, 1, recipe, (facts.width,) * len(layers), aligned)
    if recipe == "winclip+":
        return Source("tokens", (depth,), 1, recipe, (facts.width, facts.embed_dim, facts.embed_dim))
    if recipe == "anomalydino":
        return Source("tokens", (depth,), 1, recipe, (), aligned)
    patch = facts.patch_size
    if recipe == "patchcore":
        last = {stage.stride: number for number, stage in sorted(facts.stages.items())}
        if patch in last and patch // 2 in last:
            return Source("stages", (last[patch // 2], last[patch]), 3, recipe, (), aligned)
        return Source("tokens", (max(1, depth // 2), max(1, round(0.75 * depth))), 3, recipe, (), aligned)
    if stages := tuple(number for number, stage in facts.stages.items() if stage.stride == patch):
        return Source("stages", stages, aligned=aligned)
    return Source("tokens", (max(1, round(0.75 * depth)),), aligned=aligned)
