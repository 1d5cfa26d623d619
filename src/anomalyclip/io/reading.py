"""How the pictures of one run are read: the same choices for all of them, and what results record of these."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

from anomalyclip.errors import ImageReadError
from anomalyclip.io.full_scale import FullScale, parse_full_scale
from anomalyclip.io.limits import DEFAULT_MAX_PIXELS
from anomalyclip.io.names import printable
from anomalyclip.io.turns import my_turn

if TYPE_CHECKING:
    from PIL.Image import Image

    from anomalyclip.io.names import StrPath


_FOUND = "float_white"


@dataclass(frozen=True)
class Reading:
    """Keywords of `read_image` that a run keeps.

    Attributes:
        max_pixels: larger images are refused; None is the reader's default.
        axis: "x", "y" or "z", along which the slices of a volume are counted.
        full_scale: the stored value that is white in files that do not say so, or (black, white); None follows
            `anomalyclip.io.depth`.

    One object reads one run: the scale that the floats of its first such picture were taken to have is the run's. A
    profile keeps it (`found`, `of`), and a resumed run takes it from its rows (`learn`).
    """

    FINDS: ClassVar[tuple[str, ...]] = (_FOUND,)
    """Keys of :meth:`found`."""

    max_pixels: int | None = None
    axis: str = "z"
    full_scale: FullScale | None = None
    _guessed: dict[str, float] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, settings: Mapping[str, Any], *, max_pixels: int | None = None) -> Reading:
        """From what :meth:`recorded` and :meth:`found` gave, as JSON gives it back."""
        reading = cls(max_pixels, settings.get("axis", "z"), parse_full_scale(settings.get("full_scale")))
        reading.recall(settings)
        return reading

    @property
    def limit(self) -> int:
        """`max_pixels`, or the reader's default."""
        return self.max_pixels or DEFAULT_MAX_PIXELS

    def keywords(self) -> dict[str, Any]:
        """Of `read_image`, `read_image_bytes` and `as_image`."""
        return {"max_pixels": self.limit, "axis": self.axis, "full_scale": self.full_scale}

    def image(self, path: StrPath, frame: int | None = None) -> Image:
        """One picture of a file; see `anomalyclip.io.read_image`."""
        from anomalyclip.io.images import read_image

        return self.agreed(read_image(path, frame=frame, **self.keywords()), path)

    def content(self, data: bytes, name: str, frame: int | None = None) -> Image:
        """The same of a file's bytes; see `anomalyclip.io.read_image_bytes`."""
        from anomalyclip.io.images import read_image_bytes

        return self.agreed(read_image_bytes(data, name, frame=frame, **self.keywords()), name)

    def agreed(self, image: Image, name: StrPath) -> Image:
        """The same picture, if the scale guessed for it is that of the run's others.

        Raises ImageReadError: floats of 0 to 1 beside such of 0 to 255 would look alike and be scored as if they were.
        """
        from anomalyclip.io.notes import notes_of

        self.agree(notes_of(image), name)
        return image

    def agree(self, notes: Iterable[str], name: StrPath) -> None:
        """The same of a picture's notes. The first picture decides: of what threads read ahead, the first in order
        (`anomalyclip.io.turns`)."""
        from anomalyclip.io.depth import guessed_white

        white = guessed_white(notes)
        if white is None:
            return
        if not self.white_is_found:
            my_turn()
        if (first := self._guessed.setdefault("white", white)) == white:
            return
        raise ImageReadError(
            f"{printable(name)}: its floats state no scale and would end at {white:g}, those read before it ended at "
            f"{first:g}: say which value is white, the same for all (--full-scale {max(white, first):g}, full_scale in "
            "Python)"
        )

    @property
    def white_is_found(self) -> bool:
        """Whether the run's floats have their scale: one was read, or an earlier run or a profile brought it."""
        return "white" in self._guessed

    def found(self) -> dict[str, Any]:
        """What turned out while pictures were read and holds for those to come: the scale of floats. JSON values."""
        return {_FOUND: self._guessed["white"]} if self.white_is_found else {}

    def recall(self, found: Mapping[str, Any]) -> None:
        """Take over what :meth:`found` gave in an earlier run; what is known already stays."""
        white = found.get(_FOUND)
        if isinstance(white, (int, float)):
            self._guessed.setdefault("white", float(white))

    def anew(self) -> Reading:
        """The same choices for another run."""
        return replace(self, _guessed={})

    def apart(self) -> Reading:
        """The same, with what is known so far, for a picture of the run whose agreement is looked at later."""
        return replace(self, _guessed=dict(self._guessed))

    def learn(self, notes: Iterable[str]) -> None:
        """Take over what an earlier part of the run found, out of its rows' notes."""
        from anomalyclip.io.depth import guessed_white

        if (white := guessed_white(notes)) is not None:
            self._guessed.setdefault("white", white)

    def count(self, path: StrPath) -> int:
        """How many pictures a file holds; see `anomalyclip.io.frames.count_frames`."""
        from anomalyclip.io.frames import count_frames

        return count_frames(path, axis=self.axis, max_pixels=self.limit)

    def recorded(self) -> dict[str, Any]:
        """What results and profiles say of it: the choices that change pixels and are not the default. JSON values.

        >>> Reading(full_scale=(-20.0, 40.0)).recorded()
        {'full_scale': [-20.0, 40.0]}
        """
        scale = list(self.full_scale) if isinstance(self.full_scale, tuple) else self.full_scale
        told = {"axis": self.axis} if self.axis != "z" else {}
        return told | ({} if scale is None else {"full_scale": scale})

    def digest(self, content: str, frame: int | None = None) -> str:
        """Names what is read of a file: `content`, its SHA-256, unless it is one picture of several, or these choices
        make other pixels of it."""
        if frame is not None:
            content = hashlib.sha256(f"{content} picture {frame}".encode()).hexdigest()
        told = self.recorded()
        if not told:
            return content
        return hashlib.sha256(f"{content} read {json.dumps(told, sort_keys=True)}".encode()).hexdigest()
