"""What one server allows and how it works: plain values, checked when they are made."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path

from anomalyclip.errors import ConfigError
from anomalyclip.io.reading import Reading

MAP_VALUE = 16
"""Bytes that a number of a map takes while it is encoded, made base64 and put into JSON."""


@dataclass(frozen=True)
class Limits:
    """Bounds on what clients can make the server do. All seconds may be fractions.

    Attributes:
        max_bytes: of one request's body, counted while it streams in.
        max_pixels: width x height of one image, compared with its header before decoding.
        max_files: images in one request.
        max_requests: requests being worked on at once; beyond it 429.
        queue: images accepted and not yet answered, over all requests; beyond it 429.
        body_seconds: for a body to arrive whole.
        idle_seconds: between two pieces of a body.
        header_seconds: for a request's line and headers to arrive.
        work_seconds: from a complete body to its answer.
        write_seconds: that a client may leave an answer unread.
        max_map_values: numbers in the maps of one answer together; larger maps are scaled down in proportion.
        max_profiles: calibration profiles held at once.
        max_wait: seconds that accepted images should wait at most; where they begin to, fewer are accepted (429). None
            accepts as many as `queue`.
        memory: bytes that the server may take in all; None is what the container or the machine has.
    """

    max_bytes: int = 64 * 2**20
    max_pixels: int = 50_000_000
    max_files: int = 32
    max_requests: int = 64
    queue: int = 64
    body_seconds: float = 60.0
    idle_seconds: float = 10.0
    header_seconds: float = 10.0
    work_seconds: float = 60.0
    write_seconds: float = 30.0
    max_map_values: int = 2**24
    max_profiles: int = 64
    max_wait: float | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            if value is not None and value <= 0:
                raise ConfigError(f"{each.name} is {value}; a limit of the server is above 0")
        if self.max_files > self.queue:
            raise ConfigError(
                f"max_files {self.max_files} is above queue {self.queue}: such a request could never be accepted; "
                "raise the queue or lower max_files"
            )

    @property
    def bytes_in_flight(self) -> int:
        """Bytes of all bodies held at once: four of the largest."""
        return 4 * self.max_bytes

    @property
    def answer_bytes(self) -> int:
        """Bytes of all answers held at once: of a number in a map, what encoding it, base64 and JSON take."""
        return MAP_VALUE * self.max_map_values


@dataclass(frozen=True)
class ServeConfig:
    """How the server works.

    Attributes:
        limits: see :class:`Limits`.
        batch_size: images per forward pass at most.
        batch_wait: seconds that an image waits for others to share its pass.
        workers: threads that decode and encode images.
        api_key: asked for in `Authorization: Bearer KEY` or `X-API-Key` by everything below `/v1`; None asks nothing.
        drain_seconds: between SIGTERM (`/readyz` turns 503) and closing the door to new requests.
        reading: how images are read where a request and its profile say nothing; its limit is `limits.max_pixels`.
        threshold, pixel_threshold, min_area: used where a request and its profile say nothing.
        profile: name of the profile used where a request names none.
        hosts: names under which it may be asked, see `anomalyclip.serve.foreign`; None is any.
        live: the output folder of a watch that is shown while it runs.
        keep: the folder in which profiles of clients and corrections outlive the server; None keeps none.
    """

    limits: Limits = field(default_factory=Limits)
    batch_size: int = 4
    batch_wait: float = 0.005
    workers: int = 2
    api_key: str | None = field(default=None, repr=False)
    drain_seconds: float = 2.0
    reading: Reading = field(default_factory=Reading)
    threshold: float | None = None
    pixel_threshold: float | None = None
    min_area: int = 1
    profile: str | None = None
    hosts: frozenset[str] | None = None
    live: Path | None = None
    keep: Path | None = None

    def __post_init__(self) -> None:
        if self.batch_size < 1 or self.workers < 1:
            raise ConfigError(
                f"batch_size and workers are at least 1, got batch_size={self.batch_size}, workers={self.workers}"
            )
        if self.api_key is not None and (len(self.api_key) < 8 or not self.api_key.isascii()):
            raise ConfigError("the API key has at least 8 ASCII characters; make one with: openssl rand -hex 16")
