"""What training tells whoever watches it; the default says nothing."""

from __future__ import annotations


class Reporter:
    """Override what you want to show. Counts are images in every stage."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """A new stage of ``total`` images begins, ``done`` of them done in an earlier run."""

    def advance(self, images: int) -> None:
        """That many more images of the current stage are done."""

    def note(self, line: str) -> None:
        """Something worth knowing."""

    def problem(self, line: str) -> None:
        """A file was left out, or used in part."""
