"""Opening videos and cameras with OpenCV: where from, how often, and names without passwords."""

from __future__ import annotations

import os
import re
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from anomalyclip.errors import InputError
from anomalyclip.io.headers import what_it_is
from anomalyclip.io.names import printable
from anomalyclip.watching.addresses import check_host

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMES = ("rtsp", "rtsps", "rtmp", "http", "https", "udp", "tcp", "rtp", "srt")
_PACKETS = ("udp", "rtp", "srt")
_CAMERA = re.compile(r"camera:(\d{1,3})")
_PATIENCE_MS = 10_000
# Containers that hold their pictures themselves: playlists (HLS, DASH), session descriptions and lists of parts are
# read from wherever they say. FFmpeg would follow a redirect, too. OpenCV's own default, TCP for RTSP, is repeated.
_CONTAINERS = (
    "apng,asf,av1,avi,bmp_pipe,cine,dirac,dv,flic,flv,gif,gxf,h261,h263,h264,hevc,ivf,jpeg_pipe,live_flv,m4v,"
    "matroska,mjpeg,mov,mpeg,mpegts,mpegvideo,mpjpeg,mxf,nut,obu,ogg,png_pipe,rawvideo,rm,rtp,rtsp,vc1,vvc,"
    "webp_pipe,wtv,yuv4mpegpipe"
)
_OPTIONS_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_OPTIONS = f"rtsp_flags;prefer_tcp|max_redirects;0|format_whitelist;{_CONTAINERS}"

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
    return bare_address(target)


def bare_address(url: str) -> str:
    """An address without name and password, and without what follows the path; of any text, however odd.

    >>> bare_address("https://line:pa/ss@factory.example/alarm?token=1")
    'https://factory.example/alarm'
    """
    scheme, mark, rest = url.partition("://")
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    host, slash, path = rest.partition("/")
    if "@" not in host and "@" in path and re.fullmatch(r"[^:]*(:\d*)?|\[[^\]]*\](:\d*)?", host) is None:
        host, slash, path = rest.rpartition("@")[2].partition("/")  # a password with a slash in it
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"


@dataclass(frozen=True)
class Rate:
    """Which frames are looked at: every so many, or at most so many per second; all, by default."""

    every: int = 1
    fps: float | None = None

    def step(self, video_fps: float) -> int:
        """Frames from one looked at to the next, in a video of `video_fps` frames per second."""
        return self.every if self.fps is None or video_fps <= 0 else max(1, round(video_fps / self.fps))


def open_capture(target: str, *, link_local: bool = False) -> Any:
    """A `cv2.VideoCapture` that delivers. Raises InputError, also for link-local addresses unless `link_local`.

    Without that, playlists and redirects are not followed either.
    """
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # its own messages would hold the address, password included
    if not link_local and is_live(target) and _CAMERA.fullmatch(target) is None:
        _check_stream(target)
    import cv2

    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # what cannot be opened is told here
    camera = _CAMERA.fullmatch(target)
    if camera is not None:
        capture = cv2.VideoCapture(int(camera[1]))
        hint = "check that it is connected, and free"
    else:
        limits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _PATIENCE_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, _PATIENCE_MS]
        with nullcontext() if link_local else _bound():
            capture = cv2.VideoCapture(target, cv2.CAP_FFMPEG, limits)
        hint = "check the address and the format"
    if not capture.isOpened():
        capture.release()
        told = None if is_live(target) else what_it_is(Path(target))
        if told is not None and not told.endswith("a video"):
            hint = told
        raise InputError(f"{printable(without_password(target))} cannot be opened as a video; {hint}")
    return capture


@contextmanager
def _bound() -> Iterator[None]:
    """While a capture opens: FFmpeg's options that keep it where it was sent, and behind them those of the operator."""
    given = os.environ.get(_OPTIONS_VARIABLE)
    os.environ[_OPTIONS_VARIABLE] = _OPTIONS if given is None else f"{_OPTIONS}|{given}"
    try:
        yield
    finally:
        if given is None:
            del os.environ[_OPTIONS_VARIABLE]
        else:
            os.environ[_OPTIONS_VARIABLE] = given


def _check_stream(target: str) -> None:
    try:
        parts = urllib.parse.urlsplit(target)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{printable(without_password(target))} is no address of a stream: {error}") from error
    # A wildcard is where a stream of packets is received, and a group is whom it is sent to.
    if host is not None and parts.scheme not in _PACKETS:
        check_host(host, port)


def to_image(frame: Frame) -> Image:
    """OpenCV's frame, BGR or grey (H, W[, 3]), as an RGB image."""
    import cv2
    from PIL import Image

    return Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB if frame.ndim == 3 else cv2.COLOR_GRAY2RGB))
