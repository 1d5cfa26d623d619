"""Features of a frozen encoder on disk: one memory-mapped record per image content, shared by all runs that fit it."""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.features.key import CacheKey
from anomalyclip.features.records import is_intact, open_record, record_bytes, write_record
from anomalyclip.hub.cache import home
from anomalyclip.hub.progress import human_size
from anomalyclip.io.atomic import output_error, write_bytes
from anomalyclip.io.names import printable

FOLDER = "features"
STALE = 6 * 3600  # seconds after which a temporary file has no owner
_RESERVE = 64 * 2**20  # bytes of the disk that stay free
_DTYPES: dict[str, np.dtype[Any]] = {"fp16": np.dtype("<f2"), "fp32": np.dtype("<f4")}


class FeatureCache:
    """Records of one :class:`CacheKey` under ``root``, and masks, which depend on the image size only.

    ``root/<key>/ab/<image sha256>`` and ``root/masks-518/ab/<mask sha256>``. Writers need no lock: a record appears
    whole by a rename, and two writers of one name write the same content. A process killed while writing leaves a
    hidden temporary file, which :meth:`sweep` removes.
    """

    def __init__(self, root: Path, key: CacheKey) -> None:
        self.root, self.key = root, key
        self.folder = root / key.digest
        self._dtype = _DTYPES[key.dtype]
        self._masks = root / f"masks-{key.image_size}"
        self._mask_shape = ((key.image_size**2 + 7) // 8 + 1,)  # the last byte says whether the mask file was all black

    @classmethod
    def open(cls, root: str | Path | None, key: CacheKey) -> FeatureCache:
        """The cache below ``root`` (None: anomalyclip's cache folder); makes its folder.

        Raises:
            OutputError: the folder cannot be made.
        """
        cache = cls(Path(root).expanduser() if root is not None else home() / FOLDER, key)
        try:
            cache.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(cache.folder, error) from error
        write_bytes(cache.folder / "key.json", json.dumps(asdict(key), indent=1).encode())  # for people
        return cache

    def record_bytes(self) -> int:
        """Bytes on disk of one image's features."""
        return record_bytes(self.key.shape, self._dtype)

    def has(self, image_sha256: str) -> bool:
        """Whether the features of an image lie here, whole and undamaged; reads and checks all of them."""
        return is_intact(self._path(image_sha256), self._identity(image_sha256), self.key.shape, self._dtype)

    def put(self, image_sha256: str, *features: NDArray[np.float32]) -> None:
        """Keep the features of one image: the global ones (E,), the local ones (L, N, width), and summaries, if any.

        Raises:
            ConfigError: a value is beyond fp16, or not finite at all.
            OutputError: see :func:`write_record`.
        """
        with np.errstate(over="ignore"):
            rows = np.concatenate([one.reshape(-1) for one in features]).astype(self._dtype)
        if not np.isfinite(rows).all():
            raise ConfigError(
                f"features of this model are not finite in {self.key.dtype}; cache them as fp32, or check the weights"
            )
        write_record(self._path(image_sha256), self._identity(image_sha256), rows)

    def get(self, image_sha256: str) -> NDArray[Any]:
        """The record of an image, flat (:attr:`CacheKey.shape`), memory-mapped; only after :meth:`has`."""
        try:
            return open_record(self._path(image_sha256), self.key.shape, self._dtype)
        except (OSError, ValueError) as error:
            raise OutputError(
                f"the cached features {printable(self._path(image_sha256))} vanished while they were in use"
                f" ({error}); run the same command again to rebuild them"
            ) from error

    def has_mask(self, mask_sha256: str) -> bool:
        """Whether a prepared mask lies here, whole and undamaged."""
        return is_intact(self._mask_path(mask_sha256), self._mask_identity(mask_sha256), self._mask_shape, _BYTE)

    def put_mask(self, mask_sha256: str, mask: NDArray[np.bool_], *, all_black: bool) -> None:
        """Keep a prepared mask (S, S), one bit per pixel, and whether its file marked no pixel at all."""
        record = np.append(np.packbits(mask), np.uint8(all_black))
        write_record(self._mask_path(mask_sha256), self._mask_identity(mask_sha256), record)

    def get_mask(self, mask_sha256: str) -> tuple[NDArray[np.uint8], bool]:
        """The mask as uint8 0/1 (S, S), and whether its file marked no pixel; only after :meth:`has_mask`."""
        record = open_record(self._mask_path(mask_sha256), self._mask_shape, _BYTE)
        side = self.key.image_size
        return np.unpackbits(record[:-1], count=side * side).reshape(side, side), bool(record[-1])

    def check_room(self, images: int) -> tuple[int, int]:
        """Bytes that ``images`` more records need and bytes free; raises :class:`ConfigError` where they do not fit."""
        needed, free = images * self.record_bytes(), shutil.disk_usage(self.root).free
        if needed + _RESERVE > free:
            raise ConfigError(
                f"the feature cache needs {human_size(needed)} and {printable(self.root)} has {human_size(free)} free;"
                " name another folder (--cache-dir), keep fp16, select fewer layers, or stream (--no-cache)"
            )
        return needed, free

    def sweep(self, older_than: float | None = None) -> None:
        """Remove temporary files that killed processes left, last touched before ``older_than`` (seconds, epoch).

        None: older than :data:`STALE`.
        """
        older_than = time.time() - STALE if older_than is None else older_than
        for folder in (self.folder, self._masks):
            for leftover in folder.glob("*/.*.tmp"):
                with contextlib.suppress(OSError):  # another process swept or finished it
                    if leftover.stat().st_mtime < older_than:
                        leftover.unlink()

    def _path(self, image_sha256: str) -> Path:
        return self.folder / image_sha256[:2] / image_sha256

    def _mask_path(self, mask_sha256: str) -> Path:
        return self._masks / mask_sha256[:2] / mask_sha256

    def _identity(self, image_sha256: str) -> str:
        return f"{self.key.digest}/{image_sha256}"  # a record copied to another name is not intact

    def _mask_identity(self, mask_sha256: str) -> str:
        return f"mask/{self.key.image_size}/{self.key.recipe}/{mask_sha256}"


_BYTE = np.dtype(np.uint8)
