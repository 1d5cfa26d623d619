"""A vision tower with a convolutional stem as our own kernels read it (native/csrc/tower_f32.h)."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.clip.config import NORM_EPS, CLIPConfig, StemConfig, VisionConfig
from anomalyclip.clip.safetensors_header import read_header
from anomalyclip.encoders import tower_structs as structs

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_WIDEST_HEAD, _LANES, _MOST_BLOCKS, _MOST_TAPS = 256, 32, 64, 8
_LINE = 16  # numbers in a line of the caches
_KERNELS, _STRIDES = (3, 5), (1, 2)
_METADATA = "clip_config"


def read_config(path: Path) -> CLIPConfig:
    """The architecture that a weights file of ours tells; raises WeightsError, ConfigError, KeyError, OSError."""
    with path.open("rb") as stream:
        header = read_header(stream, path.stat().st_size, path)
    return CLIPConfig.from_dict(json.loads(header.metadata[_METADATA]))


def takes(config: VisionConfig) -> bool:
    """Whether the kernels know a tower of this shape."""
    stem = config.stem
    if stem is None or config.width % _LANES or config.norm_eps != NORM_EPS:
        return False
    head, hidden = config.width // config.heads, config.mlp_width or 4 * config.width
    inner = [stem.first, *(_inner(stem, number) for number in range(1, len(stem.stages)))]
    blocks = sum(stage.repeats for stage in stem.stages)
    return (
        config.activation in ("quick_gelu", "gelu")
        and head % _LANES == hidden % _LANES == 0
        and head <= _WIDEST_HEAD
        and stem.stages[0].expand == stem.stages[0].repeats == 1
        and all(stage.kernel in _KERNELS and stage.stride in _STRIDES for stage in stem.stages)
        and all(size % 16 == 0 for size in inner)
        and blocks <= _MOST_BLOCKS
        and len(stem.taps) <= _MOST_TAPS
    )


def _inner(stem: StemConfig, number: int) -> int:
    """Channels that are filtered, in a stage (from 0) that widens."""
    return stem.stages[number - 1].channels * stem.stages[number].expand


class Layout(NamedTuple):
    """How the kernels of a target hold weights.

    Attributes:
        panel: columns that lie together. lanes: channels that are filtered together.
        beyond: rows of a stage's memory that may be read beyond its last, whatever they hold.
    """

    panel: int
    lanes: int
    beyond: int


class PackedTower:
    """The tower; ``struct`` is its C structure, whose arrays live as long as this does.

    Args:
        tensors: by their names in a weights file, of any float type.
        config: of the vision tower, one that :func:`takes` takes.
        embed_dim: E.
        layout: of the kernels that will read it.
    """

    def __init__(
        self, tensors: Mapping[str, NDArray[Any]], config: VisionConfig, embed_dim: int, layout: Layout
    ) -> None:
        assert config.stem is not None
        self.config, self.stem, self.embed_dim = config, config.stem, embed_dim
        self.positions = _plain(tensors["visual.positional_embedding"])
        self._tensors, self.layout = tensors, layout
        self._kept: list[Any] = []
        self.struct = self._tower()
        self._tensors = {}

    def _tower(self) -> structs.Tower:
        config, blocks = self.config, self._stem()
        self.ends = np.cumsum([stage.repeats for stage in self.stem.stages]) - 1
        taps = self._taps()
        layers = [self._layer(f"transformer.resblocks.{number}.") for number in range(config.layers)]
        return structs.Tower(
            (structs.Inverted * len(blocks))(*blocks),
            (structs.Tap * len(taps))(*taps),
            (structs.Layer * len(layers))(*layers),
            *self._tokens(),
            self._dense(self._get("proj").T, None),
            *map(self._place, ("class_embedding", "ln_pre.weight", "ln_pre.bias", "ln_post.weight", "ln_post.bias")),
            len(blocks),
            len(taps),
            config.layers,
            config.width,
            config.heads,
            config.mlp_width or 4 * config.width,
            config.activation == "quick_gelu",
        )

    def _get(self, name: str) -> Floats:
        return _plain(self._tensors[f"visual.{name}"])

    def _keep(self, values: NDArray[Any]) -> int:
        kept = aligned(values.shape)
        kept[...] = values
        self._kept.append(kept)
        return kept.ctypes.data

    def _place(self, name: str) -> int:
        return self._keep(self._get(name))

    def _dense(self, weight: Floats, bias: Floats | None) -> structs.Dense:
        """A weight (O, I) as panels (O / P, I, P), filled up with zeros."""
        outputs, inner = weight.shape
        missing = -outputs % self.layout.panel
        weight = np.pad(weight, ((0, missing), (0, 0))) if missing else weight
        filled = np.zeros(outputs + missing, np.float32)
        filled[:outputs] = 0 if bias is None else bias
        packed = weight.reshape(-1, self.layout.panel, inner).transpose(0, 2, 1)
        return structs.Dense(self._keep(packed), self._keep(filled), inner, outputs)

    def _linear(self, name: str) -> structs.Dense:
        return self._dense(self._get(f"{name}.weight"), self._get(f"{name}.bias"))

    def _pointwise(self, name: str) -> structs.Dense:
        weight = self._get(f"{name}.conv.weight")
        return self._dense(weight.reshape(len(weight), -1), self._get(f"{name}.conv.bias"))

    def _stem(self) -> list[structs.Inverted]:
        """Block by block; the first convolution is what widens the first block."""
        found: list[structs.Inverted] = []
        inputs = 3
        for number, stage in enumerate(self.stem.stages):
            for index in range(stage.repeats):
                name, first = f"stem.stages.{number}.{index}.", not found
                filters = self._get(f"{name}filter.conv.weight")
                inner, stride = len(filters), stage.stride if index == 0 else 1
                widen = (
                    self._pointwise("stem.first" if first else f"{name}widen") if first or stage.expand > 1 else None
                )
                by_place = filters.reshape(inner // self.layout.lanes, self.layout.lanes, -1).transpose(0, 2, 1)
                found.append(
                    structs.Inverted(
                        structs.Dense() if widen is None else widen,
                        self._pointwise(f"{name}narrow"),
                        self._keep(by_place),
                        self._place(f"{name}filter.conv.bias"),
                        *(inputs, inner, stage.channels, stage.kernel, stride),
                        not first and stride == 1 and inputs == stage.channels,
                        first,
                    )
                )
                inputs = stage.channels
        return found

    def _taps(self) -> list[structs.Tap]:
        stem = self.stem
        sizes = np.cumsum([stem.stages[tap - 1].channels for tap in stem.taps])[:-1]
        means, deviations = (np.split(self._get(f"stem.{name}"), sizes) for name in ("mean", "deviation"))
        return [
            structs.Tap(
                int(self.ends[tap - 1]),
                stem.stages[tap - 1].channels,
                max(1, stem.stride // 2 // stem.stride_of(tap)),
                stem.cells_of(tap),
                self._keep(mean),
                self._keep(1 / deviation),
            )
            for tap, mean, deviation in zip(stem.taps, means, deviations, strict=True)
        ]

    def _tokens(self) -> tuple[structs.Dense, structs.Dense]:
        """Of the taps with the relations, and of the taps' deviations. The kernels hold a tap's cells one by one."""
        stem, order, start = self.stem, [], 0
        for tap in stem.taps:
            channels, cells = stem.stages[tap - 1].channels, max(1, stem.cells_of(tap)) ** 2
            places = start + np.arange(channels * cells).reshape(channels, cells)
            order.append(places.T.ravel())
            start += channels * cells
        columns = np.concatenate(order)
        straight, contrast = (self._get(f"stem.{name}.weight")[:, columns] for name in ("proj", "contrast"))
        weight = np.concatenate([straight, self._get("stem.relate.weight")], axis=1)
        return self._dense(weight, self._get("stem.proj.bias")), self._dense(contrast, None)

    def _layer(self, name: str) -> structs.Layer:
        norms = (f"{name}ln_{number}.{part}" for number in (1, 2) for part in ("weight", "bias"))
        return structs.Layer(
            *map(self._place, norms),
            self._place(f"{name}attn.in_proj_bias"),
            self._dense(self._get(f"{name}attn.in_proj_weight"), None),
            self._linear(f"{name}attn.out_proj"),
            self._linear(f"{name}mlp.c_fc"),
            self._linear(f"{name}mlp.c_proj"),
        )


def aligned(shape: tuple[int, ...]) -> Floats:
    """Uninitialised, from the start of a cache line on: registers are then loaded from one at a time."""
    count = math.prod(shape)
    memory = np.empty(count + _LINE, np.float32)
    start = -memory.ctypes.data % (4 * _LINE) // 4
    return memory[start : start + count].reshape(shape)


def _plain(values: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(values, np.float32)
