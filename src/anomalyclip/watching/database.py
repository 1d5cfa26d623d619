"""The SQLite file of a watcher: opened by one process at a time, every change a transaction, errors in one line."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anomalyclip.errors import OutputError
from anomalyclip.io.names import printable

JOURNAL, LOCK = "journal.sqlite", "journal.lock"
_IDENTITY = (0x414E4F43, 2)  # application ("ANOC") and version of the tables
_TABLES = f"""
BEGIN;
CREATE TABLE meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE files (
    key BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, digest BLOB
) WITHOUT ROWID;
CREATE TABLE frames (key BLOB PRIMARY KEY, following INTEGER) WITHOUT ROWID;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, row BLOB);
CREATE TABLE evidence (seq INTEGER PRIMARY KEY, name TEXT UNIQUE, bytes INTEGER);
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY, channel TEXT, event TEXT, payload BLOB, attempts INTEGER DEFAULT 0,
    since REAL, due REAL, error TEXT, given_up INTEGER DEFAULT 0
);
CREATE INDEX deliveries_due ON deliveries (channel, given_up, due);
PRAGMA application_id = {_IDENTITY[0]};
PRAGMA user_version = {_IDENTITY[1]};
COMMIT;
"""


class Database:
    """Open or create the journal's file in an output folder; safe to use from several threads.

    Raises OutputError: another watcher holds it, or it cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        from filelock import FileLock

        self.path = folder / JOURNAL
        self._guard = threading.RLock()
        # The system lets go of it when the process dies, however it dies.
        self._lock = FileLock(folder / LOCK)
        self._acquire(folder)
        try:
            with self._reported():
                self._connect()
        except BaseException:
            self._lock.release()
            raise

    def one(self, query: str, *values: object) -> Any:
        """The first row of a query as a tuple, or None."""
        with self._reported():
            return self._db.execute(query, values).fetchone()

    def all(self, query: str) -> list[Any]:
        with self._reported():
            return self._db.execute(query).fetchall()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing, and on the disk when it is left; nested ones join the outer one."""
        with self._reported():
            if self._db.in_transaction:
                yield self._db
                return
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    self._db.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._guard:
            self._db.close()
            self._lock.release()

    def _acquire(self, folder: Path) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            raise taken(folder) from None
        except OSError as error:
            where = printable(folder)
            raise OutputError(f"cannot lock {where}: {error.strerror or error}; make the folder writable") from error

    def _connect(self) -> None:
        # isolation_level None: transactions are ours to begin and end.
        self._db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False, timeout=30)
        try:
            found = tuple(self.one(f"PRAGMA {key}")[0] for key in ("application_id", "user_version"))
            if found not in ((0, 0), _IDENTITY):
                raise OutputError(
                    f"{printable(self.path)} is not a journal of this version (it says {found}, expected {_IDENTITY}); "
                    "name another folder with --output"
                )
            # Write-ahead: a commit only appends. FULL: it survives a power cut, too.
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = FULL")
            if found == (0, 0):
                self._db.executescript(_TABLES)
        except BaseException:
            self._db.close()
            raise

    @contextmanager
    def _reported(self) -> Iterator[None]:
        with self._guard:
            try:
                yield
            except sqlite3.Error as error:
                raise OutputError(
                    f"the journal {printable(self.path)} cannot be used: {error}; check the disk, "
                    "or name another folder with --output"
                ) from error


def taken(folder: Path) -> OutputError:
    """What to say where another process has the journal."""
    return OutputError(
        f"another watcher is writing to {printable(folder)}; stop it first, or name another folder with --output"
    )
