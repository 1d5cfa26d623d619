"""Why one file cannot be used, before its name is known to the message."""

from __future__ import annotations

EXPORT_AGAIN = "copy or export the file again"


class Refusal(Exception):  # noqa: N818 - a reason, not a bug
    """Raised by the decoders of this room; the reader turns it into an `ImageReadError` that names the file."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what}; {remedy}")


def truncated(detail: str = "") -> Refusal:
    """The refusal of a file that ends before its image does."""
    return Refusal(f"the file is truncated{f' ({detail})' if detail else ''}", EXPORT_AGAIN)
