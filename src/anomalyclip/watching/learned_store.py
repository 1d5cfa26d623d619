"""What a watch has learned, in its journal: the prototypes, the pictures they came from, and how the learning stands.

Everything changes in the transaction of the picture that changed it, so that after a kill at any moment the bank is the
one that the rows written so far were judged by.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import OutputError
from anomalyclip.judges.memory.learning import Picture
from anomalyclip.judges.memory.prototypes import Admission, Prototypes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.line import Line
    from anomalyclip.watching.database import Database

_TABLES = """
CREATE TABLE IF NOT EXISTS learned_pictures (
    number INTEGER PRIMARY KEY, name TEXT, boxes BLOB, width INTEGER, height INTEGER
);
CREATE TABLE IF NOT EXISTS prototypes (
    number INTEGER PRIMARY KEY, picture INTEGER, place INTEGER, row BLOB, used INTEGER
);
"""
_STATE = "learning"


@dataclass
class Standing:
    """How the learning stands.

    Attributes:
        memory: sha256 of the calibrated memory that it began with.
        admitted: pictures that were learned from.
        clean: numbers of the last admitted pictures before the monitor's two bets began to win.
        stopped: why no more is learned; "" while it goes on.
        monitor: see `DriftMonitor.state`; None before the first picture.
    """

    memory: str
    admitted: int = 0
    clean: tuple[int, int] = (0, 0)
    stopped: str = ""
    monitor: dict[str, Any] | None = None


class LearnedStore:
    """Reads and writes what was learned. Raises OutputError where that fails."""

    def __init__(self, database: Database) -> None:
        self._db = database
        with database.transaction() as db:
            for statement in filter(str.strip, _TABLES.split(";")):
                db.execute(statement)

    def standing(self) -> Standing | None:
        """None where nothing was begun."""
        found = self._db.one("SELECT value FROM meta WHERE key = ?", _STATE)
        try:
            if found is None:
                return None
            said = json.loads(found[0])
            drifting, exceeding = map(int, said.pop("clean"))
            return Standing(**said, clean=(drifting, exceeding))
        except (ValueError, TypeError, KeyError) as error:
            raise OutputError(f"the journal's state of learning is damaged ({error}); name another --output") from error

    def put(self, standing: Standing) -> None:
        """Keep how it stands."""
        with self._db.transaction() as db:
            db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (_STATE, json.dumps(vars(standing))))

    def prototypes(self, line: Line) -> Prototypes:
        """Those that are kept, of a calibrated line."""
        rows = self._db.all("SELECT number, picture, place, row, used FROM prototypes ORDER BY number")
        width = line.bank.rows.shape[1]
        if any(len(vector) != 2 * width for _, _, _, vector, _ in rows):
            raise OutputError("the journal's prototypes are of another width; name another folder with --output")
        vectors = np.array([np.frombuffer(row[3], "<f2") for row in rows], np.float16).reshape(len(rows), width)
        columns = [np.array([row[column] for row in rows], np.int64) for column in (0, 1, 2, 4)]
        return Prototypes(line.source.restored(vectors), *columns)

    def pictures(self) -> dict[int, Picture]:
        """Those that prototypes came from, by their numbers, ascending."""
        found = self._db.all("SELECT number, name, boxes, width, height FROM learned_pictures ORDER BY number")
        return {
            number: Picture(name, np.frombuffer(boxes, "<i4").reshape(-1, 4), (width, height))
            for number, name, boxes, width, height in found
        }

    def admit(self, number: int, picture: Picture, rows: NDArray[np.float16], admission: Admission) -> None:
        """Keep what a picture has changed. rows: (N, D) vectors of its patches as they are stored."""
        bank, new = admission.prototypes, admission.new
        with self._db.transaction() as db:
            db.executemany(
                "UPDATE prototypes SET used = ? WHERE number = ?", [(number, one) for one in admission.needed.tolist()]
            )
            if new:
                db.execute(
                    "INSERT INTO learned_pictures VALUES (?, ?, ?, ?, ?)",
                    (number, picture.name, picture.boxes.astype("<i4").tobytes(), *picture.size),
                )
                fresh = slice(len(bank) - new, None)
                named = zip(bank.numbers[fresh].tolist(), bank.places[fresh].tolist(), strict=True)
                db.executemany(
                    "INSERT INTO prototypes (number, picture, place, row, used) VALUES (?, ?, ?, ?, ?)",
                    [(one, number, place, rows[place].astype("<f2").tobytes(), number) for one, place in named],
                )
            self._forget(db, "number = ?", admission.gone.tolist())

    def take_back(self, after: int) -> None:
        """Forget all that came of pictures with higher numbers."""
        with self._db.transaction() as db:
            self._forget(db, "picture > ?", [after])

    @staticmethod
    def _forget(db: Any, which: str, values: Sequence[int]) -> None:
        db.executemany(f"DELETE FROM prototypes WHERE {which}", [(value,) for value in values])
        db.execute("DELETE FROM learned_pictures WHERE number NOT IN (SELECT picture FROM prototypes)")
