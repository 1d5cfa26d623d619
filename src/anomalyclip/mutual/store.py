"""What was seen of a batch's pictures, on disk: a record of halves and a small one of floats a picture."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.features.records import is_intact, open_record, write_record
from anomalyclip.judges.mutual_fusion import SeenBriefly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.seen import Seen

    Floats = NDArray[np.float32]

_HALF, _FULL = np.dtype("<f2"), np.dtype("<f4")


@dataclass(frozen=True)
class Shape:
    """grid: (h, w) patches, N = h w. width: D of a patch. size: (H, W) of the words' map. line: seen with a memory."""

    grid: tuple[int, int]
    width: int
    size: tuple[int, int]
    line: bool

    @property
    def patches(self) -> int:
        """N."""
        return self.grid[0] * self.grid[1]

    @property
    def halves(self) -> tuple[int]:
        """Of the record that holds patches and map."""
        return (self.patches * self.width + self.size[0] * self.size[1],)

    @property
    def floats(self) -> tuple[int]:
        """Of the record that holds the whole's two numbers, and words and distances on patches."""
        return (2 + self.patches * (3 if self.line else 2),)


class BatchStore:
    """Records below a folder, by the digest of a picture's pixels; one a distinct picture.

    made_by: hash of what makes the numbers (weights, words, settings, memory), so that others' records are not taken.
    A record appears whole by a rename; one that a killed process left half-written is not seen.
    """

    def __init__(self, folder: Path, made_by: str) -> None:
        self.folder, self._made_by = folder, made_by
        self.shapes: dict[str, Shape] = {}

    def has(self, digest: str, shape: Shape) -> bool:
        """Whether a picture was seen already, by this run or one that was killed; notes its shape then."""
        kept = is_intact(self._path(digest, "f2"), self._identity(digest), shape.halves, _HALF) and is_intact(
            self._path(digest, "f4"), self._identity(digest), shape.floats, _FULL
        )
        if kept:
            self.shapes[digest] = shape
        return kept

    def put(self, digest: str, seen: Seen, score: float, near: Floats | None) -> None:
        """Keep a picture. Raises OutputError where the disk is full."""
        shape = Shape(seen.grid, seen.described.shape[1], (*seen.anomaly_map.shape,), near is not None)
        halves = np.concatenate([seen.described.ravel(), seen.anomaly_map.ravel()]).astype(_HALF)
        own = seen.to_itself(np.arange(len(seen.described)))
        parts = [np.array([seen.whole, score]), seen.words, own, *([] if near is None else [near])]
        write_record(self._path(digest, "f2"), self._identity(digest), halves)
        write_record(self._path(digest, "f4"), self._identity(digest), np.concatenate(parts).astype(_FULL))
        self.shapes[digest] = shape

    def described(self, digest: str) -> Floats:
        """Unit vectors (N, D), but for the rounding of halves."""
        shape = self.shapes[digest]
        count = shape.patches * shape.width
        return np.asarray(self._halves(digest)[:count], np.float32).reshape(shape.patches, shape.width)

    def anomaly_map(self, digest: str) -> Floats:
        """The words' map (H, W)."""
        shape = self.shapes[digest]
        return np.asarray(self._halves(digest)[shape.patches * shape.width :], np.float32).reshape(shape.size)

    def brief(self, digest: str) -> SeenBriefly:
        """All but patches and map."""
        shape = self.shapes[digest]
        values = np.array(open_record(self._path(digest, "f4"), shape.floats, _FULL))
        words, own, *near = values[2:].reshape(-1, shape.patches)
        return SeenBriefly(words, float(values[0]), float(values[1]), own, near[0] if shape.line else None)

    def _halves(self, digest: str) -> NDArray[np.float16]:
        return open_record(self._path(digest, "f2"), self.shapes[digest].halves, _HALF)

    def _path(self, digest: str, kind: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.{kind}"

    def _identity(self, digest: str) -> str:
        return f"{self._made_by}/{digest}"


def pixels_digest(pixels: NDArray[np.generic]) -> str:
    """Of a picture as the model takes it: its shape, type and values; 32 hexadecimal digits."""
    digest = hashlib.blake2b(f"{pixels.shape}{pixels.dtype}".encode(), digest_size=16)
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
