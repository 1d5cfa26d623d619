"""Counts, histogram and highest scores of any number of rows, in one pass and bounded memory."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

from anomalyclip.detect.journal import Row
from anomalyclip.detect.log_odds import position_of

BINS = 50


@dataclass
class Summary:
    """Add rows one by one with `add`.

    histogram: counts of scores in BINS equal steps of their log odds (`log_odds.position_of`). failures: (path, reason)
    of the first `keep_failures`.
    noted: rows with notes; first_note: (path, note) of the first.
    """

    keep: int = 20
    keep_failures: int = 200
    count: int = 0
    failed: int = 0
    anomalous: int = 0
    normal: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * BINS)
    failures: list[tuple[str, str]] = field(default_factory=list)
    noted: int = 0
    first_note: tuple[str, str] | None = None
    _heap: list[tuple[float, int, Any]] = field(default_factory=list)

    def add(self, row: Row, payload: Any) -> None:
        """Count a row of `results.jsonl`; `payload` is remembered while its score is among the `keep` highest."""
        self.count += 1
        if row["error"] is not None:
            self.failed += 1
            if len(self.failures) < self.keep_failures:
                self.failures.append((row["path"], row["error"]))
        if notes := row.get("notes"):
            self.noted += 1
            self.first_note = self.first_note or (row["path"], notes[0])
        if row["score"] is None:
            return
        self.anomalous += row["decision"] == "anomalous"
        self.normal += row["decision"] == "normal"
        self.histogram[min(int(position_of(row["score"]) * BINS), BINS - 1)] += 1
        # The running number breaks ties (the earlier row wins), so that payloads are never compared.
        entry = (float(row["score"]), -self.count, payload)
        (heapq.heappush if len(self._heap) < self.keep else heapq.heappushpop)(self._heap, entry)

    @property
    def scored(self) -> int:
        return sum(self.histogram)

    def top(self) -> list[Any]:
        """Payloads of the highest scores, highest first."""
        return [payload for _, _, payload in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]
