"""Running the application: uvicorn with our clocks, and a shutdown that loses nothing that was accepted."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import uvicorn
from fastapi import FastAPI

from anomalyclip.calibration import Profile
from anomalyclip.errors import ConfigError
from anomalyclip.serve.app import create_app
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.logs import log_config
from anomalyclip.serve.protocol import guarded_protocol
from anomalyclip.serve.service import Service

_KEEP_ALIVE = 15  # seconds that an idle connection stays


class DrainingServer(uvicorn.Server):
    """SIGTERM: `/readyz` says 503 and answers close their connections, so that balancers and clients turn elsewhere;
    after the drain time the door closes, and what is inside is finished. Ctrl-C skips the drain; twice ends at once.

    on_started: called with the port once requests are taken.
    """

    def __init__(
        self, config: uvicorn.Config, service: Service, drain_seconds: float, on_started: Callable[[int], object]
    ) -> None:
        super().__init__(config)
        self._service, self._drain_seconds, self._on_started = service, drain_seconds, on_started
        self._door_closes: float | None = None

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_started(self.servers[0].sockets[0].getsockname()[1])

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._service.draining and sig == signal.SIGINT:
            self.should_exit = self.force_exit = True
        wait = 0.0 if sig == signal.SIGINT else self._drain_seconds
        self._service.draining = True
        self._door_closes = min(self._door_closes or float("inf"), time.monotonic() + wait)

    async def on_tick(self, counter: int) -> bool:
        if self._door_closes is not None and time.monotonic() >= self._door_closes:
            self.should_exit = True
        return await super().on_tick(counter)


def bind(host: str, port: int) -> socket.socket:
    """Take an address before anything heavy is loaded; it answers once `serve` has it. Raises ConfigError."""
    door = None
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
            0
        ]
        door = socket.socket(family, kind)
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind(address)
    except OSError as error:
        if door is not None:
            door.close()
        remedy = (
            "--host takes an address or name of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them"
            if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL
            else "end what uses it, or choose another --port (0 takes a free one) or --host"
        )
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror or error}; {remedy}") from error
    return door


def serve(
    model: Any,
    config: ServeConfig,
    profiles: Sequence[Profile] = (),
    *,
    door: socket.socket,
    log_level: str = "info",
    on_started: Callable[[int], object] = lambda port: None,
) -> None:
    """Serve a loaded model on the socket `door` (see `bind`) until SIGTERM or Ctrl-C."""
    app: FastAPI = create_app(model, config, profiles)
    service: Service = app.state.service
    threading.Thread(target=service.decoding.warm, name="anomalyclip-warm", daemon=True).start()
    limits = config.limits
    settings = uvicorn.Config(
        app,
        http=guarded_protocol(limits),
        ws="none",
        lifespan="on",
        log_config=log_config(log_level),
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=round(limits.body_seconds + limits.work_seconds + limits.write_seconds),
    )
    server = DrainingServer(settings, service, config.drain_seconds, on_started)
    server.run([door])
