"""A real MJPEG stream over HTTP: the newest frame, and a connection that is lost and found again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import cv2
import numpy as np
import pytest

from anomalyclip.errors import InputError
from anomalyclip.watching.capture import Rate
from anomalyclip.watching.notify import Patience
from anomalyclip.watching.source_live import LiveSource

Until = Callable[[Callable[[], object]], None]
SOON = Patience(first=0.01, longest=0.02)


class _Handler(BaseHTTPRequestHandler):
    """Sends frames whose grey value counts up, until the camera is switched off."""

    def do_GET(self) -> None:
        camera: Any = self.server
        camera.connections += 1
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        while camera.on.is_set():
            camera.sent += 1
            data = cv2.imencode(".jpg", np.full((48, 64, 3), camera.sent % 256, np.uint8))[1].tobytes()
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
            try:
                self.wfile.write(head.encode() + data + b"\r\n")
            except OSError:
                return
            camera.pause.wait(0.01)

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def camera() -> Iterator[Any]:
    camera: Any = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    camera.daemon_threads = True
    camera.sent, camera.connections = 0, 0
    camera.on, camera.pause = threading.Event(), threading.Event()
    camera.on.set()
    camera.url = f"http://user:secret@127.0.0.1:{camera.server_port}/video.mjpg"
    thread = threading.Thread(target=camera.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield camera
    camera.on.clear()
    camera.shutdown()
    thread.join()
    camera.server_close()


def test_the_newest_frame_and_a_connection_found_again(camera: Any, until: Until) -> None:
    told: list[str] = []
    source = LiveSource(camera.url, Rate(), told.append, reconnect=SOON)
    try:
        until(lambda: source.missed > 3)
        (item,) = source.arrivals()
        shown = f"http://127.0.0.1:{camera.server_port}/video.mjpg"
        assert item.path.startswith(f"{shown}#20")
        assert item.path.endswith("Z")
        image = source.read(item)
        assert image.size == (64, 48)
        assert float(np.asarray(image).mean()) > 3, "not the first one, which is long past"
        source.settle(item)
        camera.on.clear()
        until(lambda: told)
        assert told == [f"{shown}: no picture any more; reconnecting"]
        source.arrivals()
        assert source.arrivals() == []
        camera.on.set()
        stop = threading.Event()
        until(lambda: source.wait(0.1, stop) or source.arrivals())
        assert camera.connections >= 2
    finally:
        source.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "anomalyclip-camera"]


def test_one_frame_is_enough_for_once_and_every_skips(camera: Any, until: Until) -> None:
    source = LiveSource(camera.url, Rate(every=10), print, once=True)
    try:
        until(lambda: source.arrivals())
        assert source.finished
        missed, sent = source.missed, camera.sent
        until(lambda: camera.sent > sent + 30)
        assert source.missed - missed <= (camera.sent - sent) // 10 + 5
    finally:
        source.close()


@pytest.mark.parametrize("target", ["camera:99", "http://127.0.0.1:1/video.mjpg", "rtsp://user:secret@127.0.0.1:1/x"])
def test_what_cannot_be_opened_is_refused_without_its_password(target: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="cannot be opened as a video") as caught:
        LiveSource(target, Rate(), print)
    assert "secret" not in str(caught.value) + capfd.readouterr().err
