"""Room for large pictures: what several threads hold of them at once is bounded in bytes.

Threads read ahead and write behind; with small pictures that costs nothing worth counting, with scans of a gigabyte
each four of them are the machine. So whoever is about to hold much says how much, and waits while others hold the
rest; one alone is let in whatever it takes.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SMALL = 32 << 20
"""Bytes that nobody counts."""


class Room:
    """So many bytes for all threads together."""

    def __init__(self, total: int) -> None:
        self.total, self.taken = total, 0
        self._changed = threading.Condition()

    @contextmanager
    def held(self, size: int) -> Iterator[None]:
        """`size` bytes until the block ends. Waits while others hold the rest; a block must not ask for more room."""
        if size <= SMALL:
            yield
            return
        with self._changed:
            self._changed.wait_for(lambda: not self.taken or self.taken + size <= self.total)
            self.taken += size
        try:
            yield
        finally:
            with self._changed:
                self.taken -= size
                self._changed.notify_all()


decoding = Room(512 << 20)
"""What decoders in this process take."""
finishing = Room(1 << 30)
"""What maps, their regions and pictures take in the end."""
