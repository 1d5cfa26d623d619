"""A real server in a thread of this process, on the small random CLIP of tests/golden: every step but good scores."""

from __future__ import annotations

import http.client
import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn
from PIL import Image

from anomalyclip.detector import Detector
from anomalyclip.opening import from_files
from anomalyclip.serve import ServeConfig, create_app
from anomalyclip.serve.protocol import guarded_protocol
from anomalyclip.serve.server import DrainingServer

BOUNDARY = "anomalyclip-test"
Files = list[tuple[str, bytes]]


@dataclass
class Answer:
    """What came back over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    """A server that runs, and a client of the standard library's that shares no code with it."""

    port: int
    service: Any
    server: DrainingServer

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            names = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, names)
            reply = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read())
        finally:
            connection.close()

    def send_files(self, files: Files, path: str = "/v1/detect", **headers: str) -> Answer:
        kind = f"multipart/form-data; boundary={BOUNDARY}"
        return self.ask("POST", path, form(files), **{"content_type": kind, **headers})

    def send_json(self, content: Any, path: str = "/v1/detect", **headers: str) -> Answer:
        return self.ask("POST", path, json.dumps(content).encode(), content_type="application/json", **headers)


def form(files: Files, field: str = "files") -> bytes:
    """A multipart body, written by hand."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n\r\n'.encode()
        + data
        + b"\r\n"
        for name, data in files
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def png(seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
    """Noise as a PNG file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


@pytest.fixture(scope="session", name="png")
def _png() -> Callable[..., bytes]:
    """png(seed, size=(64, 48)): noise as a PNG file."""
    return png


@pytest.fixture(scope="session", name="form")
def _form() -> Callable[..., bytes]:
    """form([(name, bytes), ...]): a multipart body with the boundary `anomalyclip-test`."""
    return form


@pytest.fixture(scope="session")
def small_clip(golden_folder: Path) -> Detector:
    return from_files(
        golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth", layers=[2, 4, 6], image_size=70
    )


@contextmanager
def running(model: Any, config: ServeConfig, profiles: Any = ()) -> Iterator[Running]:
    """Serve on a free port of the loopback until the block ends."""
    app = create_app(model, config, profiles)
    app.state.service.decoding.warm()
    started = threading.Event()
    ports: list[int] = []
    settings = uvicorn.Config(
        app, port=0, http=guarded_protocol(config.limits), ws="none", lifespan="on", log_config=None
    )

    def note(port: int) -> None:
        ports.append(port)
        started.set()

    server = DrainingServer(settings, app.state.service, config.drain_seconds, note)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert started.wait(60)
        yield Running(ports[0], app.state.service, server)
    finally:
        server.should_exit = True
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="session")
def serve(small_clip: Detector) -> Callable[..., Any]:
    """serve(ServeConfig(...)) is a context manager that gives a `Running` server of the small CLIP."""
    return lambda config=None, model=None, profiles=(): running(model or small_clip, config or ServeConfig(), profiles)


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any]) -> Iterator[Running]:
    """One server with the default limits for all tests of a file that only ask."""
    with serve() as up:
        yield up
