"""Pictures of an animation that are drawn over each other, one after another, by ourselves rather than by Pillow."""

from __future__ import annotations

from abc import ABC, abstractmethod

from PIL import Image


class Canvas(ABC):
    """Asked as Pillow's images are: `seek`, `load`, `copy`. size: (width, height). number: of pictures."""

    def __init__(self, size: tuple[int, int], number: int) -> None:
        self._size, self._most = size, number
        self._wanted = 0
        self._rewind()

    def _rewind(self) -> None:
        self._number = -1
        self._shown = self._left = Image.new("RGBA", self._size)  # what is seen, and what the next is drawn over

    def tell(self) -> int:
        """Which picture was asked for last."""
        return self._wanted

    def seek(self, number: int) -> None:
        """Ask for picture `number`. Raises EOFError: there are fewer."""
        if number >= self._most:
            raise EOFError
        self._wanted = number

    def load(self) -> None:
        """Draw it. Raises what its decoder raises on damaged pixels."""
        if self._wanted < self._number:
            self._rewind()
        while self._number < self._wanted:
            self._draw(self._number + 1)
            self._number += 1

    def copy(self) -> Image.Image:
        """The picture that was drawn last, as RGBA."""
        return self._shown.copy()

    @abstractmethod
    def _draw(self, number: int) -> None:
        """Make `_shown` of `_left` and picture `number`, and `_left` of what it leaves. Raises as `load` does."""

    def _leave(self, box: tuple[int, int, int, int], *, clear: bool) -> None:
        """What was drawn stays for the next picture. clear: but for its own place, left, top, right, bottom."""
        self._left = self._shown
        if clear:
            self._left = self._shown.copy()
            self._left.paste((0, 0, 0, 0), box)
