"""All or nothing, one holder, and still there after the process is gone."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from anomalyclip.errors import OutputError
from anomalyclip.watching.arrival import FileMark, FrameMark, LiveMark
from anomalyclip.watching.database import JOURNAL, Database
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.queue import DeliveryQueue, Message
from anomalyclip.watching.settling import Stat

MARK = FileMark(b"k" * 16, Stat(10, 20, 30), b"d" * 16)
MESSAGE = Message("webhook", "e1", b"{}")


def test_what_was_recorded_is_there_when_it_is_opened_again(output: Path) -> None:
    database = Database(output)
    journal = Journal(database)
    journal.record(MARK, b"row 1\n", [MESSAGE], 100.0)
    journal.record(FrameMark(b"v" * 16, 7), b"row 2\n", [], 101.0)
    journal.record(LiveMark(), b"row 3\n", [], 102.0)
    database.close()
    database = Database(output)
    journal, queue = Journal(database), DeliveryQueue(database)
    assert journal.file(MARK.key) == MARK
    assert journal.file(b"x" * 16) is None
    assert (journal.following(b"v" * 16), journal.following(b"x" * 16)) == (7, 0)
    assert [row for _, row in journal.outbox()] == [b"row 1\n", b"row 2\n", b"row 3\n"]
    delivery = queue.due("webhook", 100.0)
    assert delivery is not None
    assert (delivery.message, delivery.attempts) == (MESSAGE, 0)
    assert queue.due("command", 1e12) is None
    journal.exported(2, {"results.jsonl": 12})
    assert journal.outbox() == [(3, b"row 3\n")]
    assert journal.get("results.jsonl") == 12
    database.close()


def test_a_record_that_fails_half_way_leaves_nothing(database: Database, journal: Journal) -> None:
    broken = Message("webhook", "e1", object())  # type: ignore[arg-type]  # SQLite refuses it, after mark and row
    with pytest.raises(OutputError, match="cannot be used"):
        journal.record(MARK, b"row\n", [broken], 1.0)
    assert journal.file(MARK.key) is None
    assert journal.outbox() == []
    assert DeliveryQueue(database).count("webhook") == (0, 0)


def test_a_journal_has_one_holder(output: Path, database: Database) -> None:
    with pytest.raises(OutputError, match=r"another watcher is writing to .*out; stop it first"):
        Database(output)
    database.close()
    Database(output).close()


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"not a database, but longer than its header of 100 bytes" * 9, "not a database"), (None, "not a journal")],
)
def test_foreign_files_are_refused_and_kept(tmp_path: Path, content: bytes | None, reason: str) -> None:
    path = tmp_path / JOURNAL
    if content is None:
        with sqlite3.connect(path) as other:
            other.execute("PRAGMA user_version = 99")
        other.close()
    else:
        path.write_bytes(content)
    before = path.read_bytes()
    with pytest.raises(OutputError, match=reason):
        Database(tmp_path)
    assert path.read_bytes() == before
    path.unlink()
    Database(tmp_path).close()  # the refusal has let go of the lock


def test_a_journal_of_other_tables_is_refused(output: Path, database: Database) -> None:
    database.close()
    with sqlite3.connect(output / JOURNAL) as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    with pytest.raises(OutputError, match=r"not a journal of this version.*another folder"):
        Database(output)


def test_messages_come_by_when_they_are_due(database: Database) -> None:
    queue = DeliveryQueue(database)
    queue.put([Message("a", str(i), b"{}") for i in range(3)], 10.0)
    first = queue.due("a", 10.0)
    assert first is not None
    assert first.message.event == "0"
    queue.failed(first, 50.0, "HTTP 503")
    second = queue.due("a", 10.0)
    assert second is not None
    assert second.message.event == "1"
    queue.delivered(second)
    third = queue.due("a", 10.0)
    assert third is not None
    queue.failed(third, None, "HTTP 503")
    assert queue.due("a", 49.0) is None
    assert queue.next_due("a") == 50.0
    assert queue.count("a") == (1, 1)
    queue.hurry("a", 20.0)
    again = queue.due("a", 20.0)
    assert again is not None
    assert (again.message.event, again.attempts) == ("0", 1)
