"""Opening videos and cameras with OpenCV: where from, how often, and names without passwords."""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anomalyclip.errors import InputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "rtp", "srt")
_CAMERA = re.compile(r"camera:(\d{1,3})")
_PATIENCE_MS = 10_000

Frame = npt.NDArray[np.uint8]


def is_live(target: str) -> bool:
    """Whether a target of `watch` is a camera or a stream: it has no end, and what is missed is gone."""
    return _CAMERA.fullmatch(target) is not None or target.partition("://")[0].lower() in SCHEMES


def without_password(target: str) -> str:
    """The target as it may be shown and recorded.

    >>> without_password("rtsp://admin:secret@10.0.0.7:554/stream?token=1")
    'rtsp://10.0.0.7:554/stream'
    """
    if target.partition("://")[0].lower() not in SCHEMES:
        return target
    parts = urllib.parse.urlsplit(target)
    return urllib.parse.urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


@dataclass(frozen=True)
class Rate:
    """Which frames are looked at: every so many, or at most so many per second; all, by default."""

    every: int = 1
    fps: float | None = None

    def step(self, video_fps: float) -> int:
        """Frames from one looked at to the next, in a video of `video_fps` frames per second."""
        return self.every if self.fps is None or video_fps <= 0 else max(1, round(video_fps / self.fps))


def open_capture(target: str) -> Any:
    """A `cv2.VideoCapture` that delivers. Raises InputError."""
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its own messages would hold the address, password included
    import cv2

    camera = _CAMERA.fullmatch(target)
    if camera is not None:
        capture = cv2.VideoCapture(int(camera[1]))
        hint = "check that it is connected, and free"
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE_MS]
        capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
        hint = "check the address and the format"
    if not capture.isOpened():
        capture.release()
        raise InputError(f"{printable(without_password(target))} cannot be opened as a video; {hint}")
    return capture


def to_image(frame: Frame) -> Image:
    """OpenCV's frame, BGR or grey (H, W[, 3]), as an RGB image."""
    import cv2
    from PIL import Image

    return Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB if frame.ndim == 3 else cv2.COLOR_GRAY2RGB))
