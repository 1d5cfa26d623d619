"""What came of one part of a siege, the table of all of them, and the file from which a siege goes on."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

_HEAD = ("what", "times", "lost", "double", "dead", "slow", "more")
_PROBLEMS = 5  # kept of one part


@dataclass
class Outcome:
    """times: kills, files or requests. lost: inputs without a result; double: with two; dead: processes that ended by
    themselves; slow: what took longer than it may. counts: more figures, added up over parts; most: figures of which
    the largest counts. problems: the first ones, a line each."""

    what: str
    times: int = 0
    lost: int = 0
    double: int = 0
    dead: int = 0
    slow: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    most: dict[str, float] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.double or self.dead or self.slow or self.problems)

    def note(self, problem: str) -> None:
        self.problems = [*self.problems, " ".join(problem.split())[:300]][:_PROBLEMS]

    def __add__(self, other: Outcome) -> Outcome:
        """Two parts of the same thing."""
        return Outcome(
            self.what,
            self.times + other.times,
            self.lost + other.lost,
            self.double + other.double,
            self.dead + other.dead,
            self.slow + other.slow,
            dict(Counter(self.counts) + Counter(other.counts)),
            {name: max(self.most.get(name, 0.0), other.most.get(name, 0.0)) for name in {**self.most, **other.most}},
            [*self.problems, *other.problems][:_PROBLEMS],
        )

    def cells(self) -> tuple[str, ...]:
        numbers = (self.times, self.lost, self.double, self.dead, self.slow)
        told = [f"{count:,} {name}" for name, count in sorted(self.counts.items())]
        told += [f"{name} {figure:,.2f}".removesuffix(".00") for name, figure in self.most.items()]
        return (self.what, *(f"{number:,}" for number in numbers), "; ".join([*told, *self.problems]))

    def line(self) -> str:
        named = zip(_HEAD, self.cells(), strict=True)
        return "  ".join(cell if name == "what" else f"{name} {cell}" for name, cell in named if cell)


def table(outcomes: list[Outcome]) -> str:
    """One row for each thing, its parts added up, in the order of their first parts."""
    whole: dict[str, Outcome] = {}
    for outcome in outcomes:
        whole[outcome.what] = whole[outcome.what] + outcome if outcome.what in whole else outcome
    rows = [_HEAD, *(outcome.cells() for outcome in whole.values())]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


class Record:
    """The parts that are done, a line each in `path`, so that a siege that was stopped goes on where it was.

    None keeps nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text("utf-8").splitlines() if path is not None and path.exists() else []
        self.done = {part["part"]: Outcome(**part["outcome"]) for part in map(json.loads, lines)}

    def add(self, part: str, outcome: Outcome) -> None:
        self.done[part] = outcome
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"part": part, "outcome": asdict(outcome)}) + "\n")
