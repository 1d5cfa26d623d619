"""Prometheus of a watch: counts, scores and the age of the last picture, at http://HOST:PORT/metrics."""

from __future__ import annotations

import re
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.extras import require
from anomalyclip.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from anomalyclip.detect.journal import Row

LOOPBACK = "127.0.0.1"
_SCORES = tuple(tenth / 10 for tenth in range(1, 11))
_P_VALUES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


def parse_place(given: str) -> tuple[str, int]:
    """ "9108" or "HOST:9108" as (host, port); loopback where no host is named. Raises ConfigError.

    >>> parse_place("9108"), parse_place("0.0.0.0:9108"), parse_place("[::1]:9108")
    (('127.0.0.1', 9108), ('0.0.0.0', 9108), ('::1', 9108))
    """
    found = re.fullmatch(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:\s\[\]]+):)?(\d{1,5})", given)
    if found is None or int(found[2]) > 65535:
        raise ConfigError(f"--metrics {given!r}: expected PORT or HOST:PORT, such as 9108 or 0.0.0.0:9108")
    return (found[1] or LOOPBACK).strip("[]"), int(found[2])


class Exposition:
    """A signal of a watch that Prometheus reads.

    Args:
        place: PORT or HOST:PORT. source: what is watched. model: what judges.

    Attributes:
        port: where it answers, once started.

    Raises:
        ConfigError: an address that cannot be, or no prometheus-client.
    """

    def __init__(self, place: str, source: str, waiting: Callable[[], dict[str, int]] = dict) -> None:
        require("prometheus_client", what="--metrics")
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, ProcessCollector

        self._host, self.port = parse_place(place)
        self.registry = registry = CollectorRegistry()
        self._server: Any = None
        ProcessCollector(registry=registry)
        self._pictures = Counter(
            "anomalyclip_watch_pictures", "Pictures, by what became of them.", ["outcome"], registry=registry
        )
        for outcome in ("anomalous", "normal", "undecided", "failed"):
            self._pictures.labels(outcome)  # 0 is told, too: a rate needs where it began
        self._scores = Histogram(
            "anomalyclip_watch_score", "Image scores, in [0, 1].", buckets=_SCORES, registry=registry
        )
        self._p_values = Histogram(
            "anomalyclip_watch_p_value", "p-values, where a profile judges.", buckets=_P_VALUES, registry=registry
        )
        self._regions = Counter("anomalyclip_watch_regions", "Regions found.", registry=registry)
        self._last = Gauge(
            "anomalyclip_watch_last_picture_timestamp_seconds", "When the last picture was scored.", registry=registry
        )
        self._messages = Gauge(
            "anomalyclip_watch_messages_waiting", "Messages that nobody has taken yet.", ["channel"], registry=registry
        )
        Info("anomalyclip_watch", "What is watched, and by what version.", registry=registry).info(
            {"source": source, "version": __version__}
        )
        self._waiting = waiting

    def start(self) -> None:
        """Answer from now on. Raises OutputError where the port cannot be had."""
        from prometheus_client import start_http_server

        for channel in self._waiting():
            self._messages.labels(channel).set_function(partial(self._waits, channel))
        try:
            self._server, self._thread = start_http_server(self.port, self._host, registry=self.registry)
        except OSError as error:
            raise OutputError(
                f"--metrics: {self._host}:{self.port} cannot be had ({error.strerror or error}); name another port"
            ) from error
        self.port = self._server.server_port

    def show(self, row: Row) -> None:
        """Count a row."""
        scored = row["score"] is not None
        self._pictures.labels((row["decision"] or "undecided") if scored else "failed").inc()
        self._last.set(time.time())
        if scored:
            self._scores.observe(row["score"])
            self._regions.inc(len(row.get("regions") or ()))
        if row.get("p_value") is not None:
            self._p_values.observe(row["p_value"])

    def _waits(self, channel: str) -> float:
        return self._waiting()[channel]

    def close(self, grace: float) -> None:
        """Answer no more; a second time does nothing."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            self._thread.join(grace)
