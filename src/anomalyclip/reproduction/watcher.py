"""What a reproduction tells whoever watches it; the default says nothing."""

from __future__ import annotations

from anomalyclip.training.reporter import Reporter


class Watcher:
    """Override what you want to show."""

    def begin(self, images: int, cells: int) -> None:
        """`cells` evaluations are left; they and their trainings see `images` images, each epoch counted."""

    def advance(self, images: int = 1) -> None:
        """That many more images are done."""

    def doing(self, words: str) -> None:
        """What comes next: a training or an evaluation."""

    def cell(self, words: str) -> None:
        """A cell is finished and kept; `words` has its figures."""

    def note(self, line: str) -> None:
        """Something worth knowing."""


class TrainingWatcher(Reporter):
    """Passes a training's progress on; only its epochs count as images, as announced by `Watcher.begin`."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher, self._counting = watcher, False

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self._counting = name == "training"
        if self._counting:
            self._watcher.advance(done)

    def advance(self, images: int) -> None:
        if self._counting:
            self._watcher.advance(images)

    def problem(self, line: str) -> None:
        self._watcher.note(line)
