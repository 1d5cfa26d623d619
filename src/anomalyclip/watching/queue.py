"""Messages that wait for their receivers, through restarts, each until it is delivered or given up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from anomalyclip.watching.database import Database


@dataclass(frozen=True)
class Message:
    """What one receiver is to be told. event: names what happened, the same in every attempt; payload: JSON."""

    channel: str
    event: str
    payload: bytes


@dataclass(frozen=True)
class Delivery:
    """A message in the queue. attempts: made so far."""

    id: int
    message: Message
    attempts: int


class DeliveryQueue:
    """One queue per channel, ordered by when a message is due. All times are seconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def put(self, messages: Sequence[Message], now: float) -> None:
        """Queue messages, due at once."""
        with self._db.transaction() as db:
            db.executemany(
                "INSERT INTO deliveries (channel, event, payload, since, due) VALUES (?, ?, ?, ?, ?)",
                [(message.channel, message.event, message.payload, now, now) for message in messages],
            )

    def due(self, channel: str, now: float) -> Delivery | None:
        """The message that has been due longest."""
        row = self._db.one(
            "SELECT id, channel, event, payload, attempts FROM deliveries "
            "WHERE channel = ? AND NOT given_up AND due <= ? ORDER BY due, id LIMIT 1",
            channel,
            now,
        )
        return Delivery(row[0], Message(*row[1:4]), row[4]) if row else None

    def next_due(self, channel: str) -> float | None:
        """When the next message is due; None without any."""
        due = self._db.one("SELECT min(due) FROM deliveries WHERE channel = ? AND NOT given_up", channel)[0]
        return None if due is None else float(due)

    def delivered(self, delivery: Delivery) -> None:
        """The receiver has it."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM deliveries WHERE id = ?", (delivery.id,))

    def hurry(self, channel: str, now: float) -> None:
        """All that waits for a receiver is due at once."""
        with self._db.transaction() as db:
            db.execute("UPDATE deliveries SET due = ? WHERE channel = ? AND due > ?", (now, channel, now))

    def move(self, channel: str, seconds: float) -> None:
        """All that waits is due so many seconds later, or sooner."""
        with self._db.transaction() as db:
            db.execute("UPDATE deliveries SET due = due + ? WHERE channel = ?", (seconds, channel))

    def failed(self, delivery: Delivery, due: float | None, error: str) -> None:
        """Try again at `due`, or never (None): then it stays on record with its reason."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE deliveries SET attempts = attempts + 1, error = ?, given_up = ?, due = coalesce(?, due) "
                "WHERE id = ?",
                (error, due is None, due, delivery.id),
            )

    def count(self, channel: str) -> tuple[int, int]:
        """(messages that wait, messages that were given up)."""
        row = self._db.one(
            "SELECT count(*) FILTER (WHERE NOT given_up), count(*) FILTER (WHERE given_up) FROM deliveries "
            "WHERE channel = ?",
            channel,
        )
        return int(row[0]), int(row[1])
