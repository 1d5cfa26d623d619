"""A video file: every frame that is wanted, once, in order, continued where a killed run stopped."""

# ruff: noqa: PTH116
from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from anomalyclip.detect.inputs import InputItem, formula_safe
from anomalyclip.detect.names import path_key
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable
from anomalyclip.watching.arrival import FrameMark
from anomalyclip.watching.capture import Rate, open_capture, to_image
from anomalyclip.watching.journal import Journal

if TYPE_CHECKING:
    from PIL.Image import Image


class VideoSource:
    """A `Source` over the frames of a file; frame 0 is the first, its row's path is `FILE#frame=0`.

    Raises InputError where the file is missing or no video.
    """

    def __init__(self, path: str, journal: Journal, rate: Rate) -> None:
        import cv2

        try:
            status = os.stat(path)
        except OSError as error:
            raise InputError(f"{printable(path)}: {error.strerror or error}; check the path") from error
        self.label = printable(path)
        self._capture = open_capture(path)
        self._step = rate.step(self._capture.get(cv2.CAP_PROP_FPS))
        self._path = formula_safe(path)
        identity = b"%s %d %d" % (path_key(path), status.st_size, status.st_mtime_ns)
        self._key = blake2b(identity, digest_size=16).digest()
        self._start = journal.following(self._key)
        self._frames: dict[bytes, tuple[int, Image]] = {}  # under way: bounded by what detect_stream holds
        self._guard = threading.Lock()
        self.finished = False

    def arrivals(self) -> Iterator[InputItem]:
        # Skipping by grab() is exact; seeking lands on key frames only in many formats.
        index = 0
        while self._capture.grab():
            if index >= self._start and index % self._step == 0:
                ok, frame = self._capture.retrieve()
                if not ok:
                    break
                yield self._item(index, to_image(frame))
            index += 1
        self.finished = True

    def read(self, item: InputItem) -> Image:
        with self._guard:
            return self._frames[item.key][1]

    def settle(self, item: InputItem) -> FrameMark:
        with self._guard:
            index, _ = self._frames.pop(item.key)
        return FrameMark(self._key, index + 1)

    def wait(self, seconds: float, stop: threading.Event) -> None:
        stop.wait(seconds)

    def close(self) -> None:
        self._capture.release()

    def _item(self, index: int, image: Image) -> InputItem:
        key = blake2b(b"%s %d" % (self._key, index), digest_size=16).digest()
        with self._guard:
            self._frames[key] = index, image
        stem = os.path.splitext(os.path.basename(self._path))[0]  # noqa: PTH119, PTH122
        return InputItem(f"{self._path}#frame={index}", f"{stem}-{index:06d}", key, frame=index)
