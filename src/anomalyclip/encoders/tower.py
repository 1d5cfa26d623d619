"""A vision tower with a stem on our own kernels, without torch: pixels of one picture to named outputs."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from queue import LifoQueue
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from anomalyclip.clip.config import default_dpam_blocks
from anomalyclip.encoders import tower_structs as structs
from anomalyclip.encoders.graph_sessions import cores
from anomalyclip.encoders.tower_weights import Layout, PackedTower, read_config, takes
from anomalyclip.errors import ConfigError
from anomalyclip.lazy import meanwhile
from anomalyclip.native import kernels
from anomalyclip.native.team import Team

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.encoders.graph_sessions import Run

    Floats = NDArray[np.float32]

_OWN = {"qq": 0, "kk": 1, "vv": 2}
_DEFAULTS = {"dpam": "vv", "dpam_blocks": None, "post_norm_class": False}


class Wanted(NamedTuple):
    """Outputs by number: layers from 1 of patches and tokens, stages from 1, of which some as summaries alone."""

    image: bool
    patches: frozenset[int]
    tokens: frozenset[int]
    stages: frozenset[int]
    summaries: frozenset[int]


class Seat:
    """What one call works in: threads, and memory that grows to the largest picture's."""

    def __init__(self, threads: int) -> None:
        self.team = Team(threads)
        self._common = np.empty(0, np.uint8)
        self._benches = [np.empty(0, np.uint8) for _ in range(threads)]

    def memory(self, common: int, bench: int) -> tuple[int, Any]:
        """Addresses of so many bytes: what all threads see, and each one's own."""
        if len(self._common) < common:
            self._common = np.empty(common, np.uint8)
        if len(self._benches[0]) < bench:
            self._benches = [np.empty(bench, np.uint8) for _ in self._benches]
        addresses = (ctypes.c_void_p * len(self._benches))(*(each.ctypes.data for each in self._benches))
        return self._common.ctypes.data, addresses


class CompiledTower:
    """The function of a weights file: called with pixels (1, 3, H, W) and names of outputs, as a graph's session is.

    As many calls as there are ``seats`` run at once, each on its own threads; more wait. How many
    there are of either changes no bit.
    """

    def __init__(self, packed: PackedTower, library: Any, seats: int, threads: int, **how: Any) -> None:
        self._packed, self._library = packed, library
        self._how = {**_DEFAULTS, **how}
        self._positions = lru_cache(maxsize=8)(lambda grid: positions_of(packed.positions, grid))
        self._seats: LifoQueue[Seat] = LifoQueue()
        for _ in range(seats):
            self._seats.put(Seat(threads))

    def __call__(self, pixels: Floats, outputs: Sequence[str]) -> list[Floats]:
        """The outputs ``image`` (1, E), ``patches_N`` (1, n, E), ``tokens_N`` (1, n, D), ``stage_N`` (1, C, h, w) and
        ``summary_N`` (1, 3 C)."""
        wanted = _parse(outputs)
        seat = self._seats.get()
        try:
            found = self._run(seat, np.ascontiguousarray(pixels[0], np.float32), wanted)
        finally:
            self._seats.put(seat)
        return [found[name] for name in outputs]

    def _run(self, seat: Seat, picture: Floats, wanted: Wanted) -> dict[str, Floats]:
        packed, stride = self._packed, self._packed.stem.stride
        grid = (picture.shape[1] // stride, picture.shape[2] // stride)
        picture = np.ascontiguousarray(picture[:, : grid[0] * stride, : grid[1] * stride])
        count, width, embed = grid[0] * grid[1], packed.config.width, packed.embed_dim
        stages = {number: self._stage(picture.shape, number) for number in wanted.stages | wanted.summaries}
        patches = {layer: np.empty((1, count, embed), np.float32) for layer in wanted.patches}
        tokens = {layer: np.empty((1, count, width), np.float32) for layer in wanted.tokens}
        image = np.empty((1, embed), np.float32) if wanted.image else None
        needed, dual, positions = *self._plan(wanted), self._positions(grid)  # held: another call may drop it
        phases = np.zeros((2 * packed.struct.stem_blocks + 2 * len(needed) + 5, 2), np.int32)
        job = structs.Job(
            ctypes.pointer(packed.struct),
            *(phases.ctypes.data, picture.ctypes.data, positions.ctypes.data, *picture.shape[1:], *grid),
            *(seat.team.size, len(needed), _OWN.get(self._how["dpam"], 0), bool(self._how["post_norm_class"])),
            *((ctypes.c_int32 * max(1, len(every)))(*every) for every in (needed, dual)),
            _pointers(
                {int(packed.ends[number - 1]): whole for number, whole in stages.items()}, packed.struct.stem_blocks
            ),
            *(
                _pointers({layer - 1: x for layer, x in every.items()}, packed.struct.depth)
                for every in (patches, tokens)
            ),
            None if image is None else image.ctypes.data,
        )
        sizes = (ctypes.c_int64 * 2)()
        self._library.ac_tower_bytes(ctypes.byref(job), sizes)
        with seat.team.alone():
            job.common, job.benches = seat.memory(*sizes)
            seat.team.run(lambda thread: self._library.ac_tower_f32(ctypes.byref(job), thread))
        maps = {number: self._shaped(whole, picture.shape, number) for number, whole in stages.items()}
        return (
            ({} if image is None else {"image": image})
            | {f"patches_{layer}": x for layer, x in patches.items()}
            | {f"tokens_{layer}": x for layer, x in tokens.items()}
            | {f"stage_{number}": np.moveaxis(maps[number], -1, 1) for number in wanted.stages}
            | {f"summary_{number}": summary(maps[number]) for number in wanted.summaries}
        )

    def _plan(self, wanted: Wanted) -> tuple[list[int], list[int]]:
        """Per block that runs: which rows of the original path are needed, and whether the local path runs."""
        depth, given = self._packed.config.layers, self._how["dpam_blocks"]
        local = default_dpam_blocks(depth) if given is None else given
        first = depth - local if self._how["dpam"] != "qk" else depth
        deepest = max(wanted.patches, default=0)
        blocks = depth if wanted.image else max(deepest, *wanted.tokens, 0)
        dual = [first <= block < deepest for block in range(blocks)]
        needed = [structs.ALL] * blocks
        if blocks and blocks not in wanted.tokens and (dual[-1] or blocks not in wanted.patches):
            needed[-1] = structs.CLASS if wanted.image else structs.NONE
        return needed, [int(each) for each in dual]

    def _stage(self, shape: tuple[int, ...], number: int) -> Floats:
        """Memory for a stage, with the rows that the kernels may read beyond it."""
        height, width, channels = self._shape(shape, number)
        return np.empty((height * width + self._packed.layout.beyond, channels), np.float32)

    def _shaped(self, whole: Floats, shape: tuple[int, ...], number: int) -> Floats:
        height, width, channels = self._shape(shape, number)
        return whole[: height * width].reshape(1, height, width, channels)

    def _shape(self, shape: tuple[int, ...], number: int) -> tuple[int, int, int]:
        stem = self._packed.stem
        stride = stem.stride_of(number)
        return -(-shape[1] // stride), -(-shape[2] // stride), stem.stages[number - 1].channels


def open_tower(weights: Path, threads: int | None, streams: int, **how: Any) -> Run:
    """The tower of a weights file of ours on the kernels of this processor.

    Args:
        threads: in all; None is one per core that this process may use. streams: pictures under way at a time.
        how: ``dpam``, ``dpam_blocks``, ``post_norm_class`` of :class:`FeatureRequest`.

    Raises:
        ConfigError: no kernels, or none for this tower. WeightsError, OSError, ValueError, KeyError: the file.
    """
    from safetensors import safe_open

    library = structs.declare(kernels("fp32"))
    config = read_config(weights)
    if not takes(config.vision):
        raise ConfigError("the kernels do not know a tower of this shape: use --runtime onnx")
    numbers = (ctypes.c_int32 * len(Layout._fields))()
    library.ac_tower_layout(numbers)
    with meanwhile(), safe_open(weights, "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys() if name.startswith("visual.")}  # noqa: SIM118
        packed = PackedTower(tensors, config.vision, config.embed_dim, Layout(*numbers))
    return CompiledTower(packed, library, max(1, streams), max(1, (threads or cores()) // max(1, streams)), **how)


def positions_of(table: Floats, grid: tuple[int, int]) -> Floats:
    """A positional table (1 + g * g, D) at a grid (h, w): bilinear, half-pixel centres, as torch's interpolation."""
    side = math.isqrt(len(table) - 1)
    if grid == (side, side):
        return table
    spatial = table[1:].reshape(side, side, -1)
    for axis, new in enumerate(grid):
        at = np.maximum((np.arange(new, dtype=np.float32) + 0.5) * np.float32(side / new) - 0.5, 0)
        low = np.minimum(at.astype(np.int64), side - 1)
        high, beyond = np.minimum(low + 1, side - 1), (at - low).astype(np.float32)
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        beyond = beyond.reshape(shape)
        spatial = spatial.take(low, axis) * (1 - beyond) + spatial.take(high, axis) * beyond
    return np.ascontiguousarray(np.concatenate([table[:1], spatial.reshape(-1, table.shape[1])]), np.float32)


def summary(stage: Floats) -> Floats:
    """(1, 3 C) mean, deviation and maximum over the places of a stage (1, h, w, C)."""
    places = stage.reshape(-1, stage.shape[-1])
    mean = places.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(places - mean).mean(axis=0))
    return np.concatenate([mean, deviation, places.max(axis=0)]).astype(np.float32)[None]


def _parse(outputs: Sequence[str]) -> Wanted:
    numbers: dict[str, set[int]] = {"patches": set(), "tokens": set(), "stage": set(), "summary": set()}
    for name in outputs:
        if name != "image":
            kind, _, number = name.rpartition("_")
            numbers[kind].add(int(number))
    return Wanted("image" in outputs, *(frozenset(each) for each in numbers.values()))


def _pointers(arrays: dict[int, Floats], count: int) -> Any:
    return (ctypes.c_void_p * count)(*(arrays[at].ctypes.data if at in arrays else None for at in range(count)))
