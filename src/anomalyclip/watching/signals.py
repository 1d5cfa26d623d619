"""Who is told of every row, at once: a state on a broker, a reject gate. What is late is not sent after all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from anomalyclip.detect.journal import Row


class Signal(Protocol):
    """Shows how things stand now; messages that must arrive go by a `Courier`."""

    def start(self) -> None:
        """The watch begins."""

    def show(self, row: Row) -> None:
        """A row is safe in the journal. Never waits for anybody."""

    def close(self, grace: float) -> None:
        """The watch ends; what is under way may take `grace` seconds."""
