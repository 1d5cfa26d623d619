"""What a source of images promises to the loop, and what the journal remembers of an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Protocol

from anomalyclip.detect.inputs import InputItem
from anomalyclip.watching.settling import Stat

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class FileMark:
    """A file as it was when it was scored: it is new again when size or times differ, unless the content is the same.

    key: 16 bytes for the real path. digest: 16 bytes of BLAKE2b of the content, or None where it could not be read.
    """

    key: bytes
    stat: Stat
    digest: bytes | None


@dataclass(frozen=True)
class FrameMark:
    """How far a video file is scored. key: 16 bytes for path, size and time. following: the next frame to look at."""

    key: bytes
    following: int


@dataclass(frozen=True)
class LiveMark:
    """A frame of a live camera: gone when it is scored, so there is nothing to remember."""


Mark = FileMark | FrameMark | LiveMark


class Source(Protocol):
    """Where images come from. Only `read` is called from several threads."""

    @property
    def label(self) -> str:
        """What is watched, for people: one line without passwords."""

    @property
    def finished(self) -> bool:
        """Whether nothing can arrive any more."""

    def arrivals(self) -> Iterable[InputItem]:
        """What can be scored now, oldest first; empty where there is nothing yet. Raises InputError."""

    def read(self, item: InputItem) -> Image:
        """The RGB image of an arrival. Raises ImageReadError."""

    def settle(self, item: InputItem) -> Mark | None:
        """What to remember of an arrival that was scored, or failed; None: leave it, it will arrive again."""

    def wait(self, seconds: float, stop: Event) -> None:
        """Until it is worth another look: at most so long, less when `stop` is set or an arrival can be felt."""

    def close(self) -> None:
        """Let go of devices and threads."""
