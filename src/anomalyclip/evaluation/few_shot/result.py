"""What a few-shot evaluation gives: one row per class, number of shots and draw; means and spreads over draws."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Values = Mapping[str, float | None]

DETECTION, DECISION = ("image_auroc", "pixel_auroc", "aupro"), ("recall_at_fpr", "false_alarm_rate")
METRICS = DETECTION + DECISION


@dataclass(frozen=True)
class Draw:
    """One line: drawn from `shots` good pictures of a class, measured on the others.

    Attributes:
        class_name, shots, draw: which it is.
        values: :data:`METRICS` -> value in [0, 1], None where undefined.
        zero_shot: the same of the words alone, on the same pictures; their threshold from the same good pictures.
        undefined: metric -> why it is None.
        normal, anomalous: pictures judged.
        references: names of the good pictures.
    """

    class_name: str
    shots: int
    draw: int
    values: Values
    zero_shot: Values
    undefined: Mapping[str, str] = field(default_factory=dict)
    normal: int = 0
    anomalous: int = 0
    references: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """Several draws summed up.

    mean, zero_shot: over draws. spread: standard deviation over draws (0 of one draw), None where undefined.
    """

    mean: Values
    spread: Values
    zero_shot: Values


@dataclass(frozen=True)
class FewShot:
    """All draws.

    settings: as recorded. method: how the memory judges. pools: class -> split that references come from.
    """

    settings: Mapping[str, Any]
    method: str
    pools: Mapping[str, str]
    draws: tuple[Draw, ...]

    @property
    def classes(self) -> tuple[str, ...]:
        """In the order of the data set."""
        return tuple(self.pools)

    @property
    def shots(self) -> tuple[int, ...]:
        """Numbers of good pictures, as they were asked for."""
        return tuple(self.settings["shots"])

    def of(self, class_name: str, shots: int) -> list[Draw]:
        """The draws of one class, in order."""
        return sorted(
            (one for one in self.draws if (one.class_name, one.shots) == (class_name, shots)), key=lambda one: one.draw
        )

    def row(self, class_name: str, shots: int) -> Row:
        """One class over its draws."""
        draws = self.of(class_name, shots)
        return _row([one.values for one in draws], [one.zero_shot for one in draws])

    def mean_row(self, shots: int) -> Row:
        """The mean over the classes that have a metric; its spread is that of each draw's mean over classes."""
        classes = [self.row(name, shots) for name in self.classes]
        numbers = sorted({one.draw for one in self.draws if one.shots == shots})
        by_draw = [
            _mean([one.values for one in self.draws if (one.shots, one.draw) == (shots, draw)]) for draw in numbers
        ]
        return Row(
            _mean([one.mean for one in classes]),
            _by_metric(by_draw, _spread),
            _mean([one.zero_shot for one in classes]),
        )

    def undefined(self, class_name: str, shots: int) -> dict[str, str]:
        """metric -> why no draw has it."""
        draws, row = self.of(class_name, shots), self.row(class_name, shots)
        return {
            name: next((one.undefined[name] for one in draws if name in one.undefined), "there is no draw")
            for name in METRICS
            if row.mean[name] is None
        }

    def to_dict(self) -> dict[str, Any]:
        """What metrics.json holds under "few_shot"."""
        return {
            **self.settings,
            "method": self.method,
            "references_from": dict(self.pools),
            "shots": {str(shots): self._shots(shots) for shots in self.shots},
        }

    def _shots(self, shots: int) -> dict[str, Any]:
        return {
            "mean": _told(self.mean_row(shots)),
            "classes": {
                name: _told(self.row(name, shots))
                | {"undefined": self.undefined(name, shots)}
                | {"draws": [_drawn(one) for one in self.of(name, shots)]}
                for name in self.classes
            },
        }


def _told(row: Row) -> dict[str, Any]:
    return {**row.mean, "spread": dict(row.spread), "zero_shot": dict(row.zero_shot)}


def _drawn(one: Draw) -> dict[str, Any]:
    judged = {"normal": one.normal, "anomalous": one.anomalous}
    return {"draw": one.draw, **one.values, "judged": judged, "references": list(one.references)}


def _row(values: Sequence[Values], zero_shot: Sequence[Values]) -> Row:
    return Row(_mean(values), _by_metric(values, _spread), _mean(zero_shot))


def _mean(rows: Iterable[Values]) -> dict[str, float | None]:
    return _by_metric(rows, statistics.fmean)


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else 0.0


def _by_metric(rows: Iterable[Values], summed: Callable[[Sequence[float]], float]) -> dict[str, float | None]:
    listed = list(rows)
    found: dict[str, float | None] = {}
    for name in METRICS:
        values = [value for row in listed if (value := row[name]) is not None]
        found[name] = summed(values) if values else None
    return found
