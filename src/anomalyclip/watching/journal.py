"""The journal: what was scored, which rows are still to be written, which evidence is kept.

An image, its row and its messages enter in one transaction, so that after a kill at any moment each image is either
wholly in or not at all. Results files and receivers are served from here and may lag behind.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from anomalyclip.watching.arrival import FileMark, FrameMark, Mark
from anomalyclip.watching.database import Database
from anomalyclip.watching.queue import DeliveryQueue, Message
from anomalyclip.watching.settling import Stat

_FILE = "key, size, mtime_ns, ctime_ns, digest"


class Journal:
    """Reads and writes the tables of one :class:`Database`. Raises OutputError where that fails."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self._queue = DeliveryQueue(database)

    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All that is changed within it enters together, or not at all."""
        return self._db.transaction()

    def record(self, mark: Mark, row: bytes, messages: Sequence[Message], now: float) -> None:
        """An image is done: its mark, its row and its messages, all or nothing. now: seconds since 1970."""
        with self._db.transaction() as db:
            self.remember(mark)
            db.execute("INSERT INTO outbox (row) VALUES (?)", (row,))
            self._queue.put(messages, now)

    def remember(self, mark: Mark) -> None:
        """Note a mark."""
        with self._db.transaction() as db:
            if isinstance(mark, FileMark):
                values = (mark.key, *mark.stat, mark.digest)
                db.execute(f"INSERT OR REPLACE INTO files ({_FILE}) VALUES (?, ?, ?, ?, ?)", values)
            elif isinstance(mark, FrameMark):
                db.execute("INSERT OR REPLACE INTO frames VALUES (?, ?)", (mark.key, mark.following))

    def file(self, key: bytes) -> FileMark | None:
        """The file as it was when it was scored."""
        row = self._db.one(f"SELECT {_FILE} FROM files WHERE key = ?", key)
        return FileMark(row[0], Stat(*row[1:4]), row[4]) if row else None

    def following(self, key: bytes) -> int:
        """The first frame of a video that was not looked at yet."""
        row = self._db.one("SELECT following FROM frames WHERE key = ?", key)
        return int(row[0]) if row else 0

    def outbox(self) -> list[tuple[int, bytes]]:
        """(number, row) of every row that is not known to be in the results files."""
        return self._db.all("SELECT seq, row FROM outbox ORDER BY seq")

    def exported(self, last: int, sizes: dict[str, int]) -> None:
        """All rows up to `last` are in the files, which have these sizes in bytes now."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM outbox WHERE seq <= ?", (last,))
            self.put(sizes)

    def evidence(self) -> list[tuple[str, int]]:
        """(folder name, bytes) of what is kept, oldest first."""
        return self._db.all("SELECT name, bytes FROM evidence ORDER BY seq")

    def keep_evidence(self, name: str, size: int) -> None:
        with self._db.transaction() as db:
            db.execute("INSERT INTO evidence (name, bytes) VALUES (?, ?)", (name, size))

    def drop_evidence(self, name: str) -> None:
        with self._db.transaction() as db:
            db.execute("DELETE FROM evidence WHERE name = ?", (name,))

    def get(self, key: str) -> Any:
        """A note; None where there is none."""
        row = self._db.one("SELECT value FROM meta WHERE key = ?", key)
        return row[0] if row else None

    def put(self, values: dict[str, Any]) -> None:
        with self._db.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO meta VALUES (?, ?)", list(values.items()))
