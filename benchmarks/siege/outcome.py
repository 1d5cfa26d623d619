"""What came of one part of a siege, and the table of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field

_HEAD = ("what", "times", "lost", "double", "dead", "slow", "more")


@dataclass
class Outcome:
    """times: kills, files or requests. lost: inputs without a result; double: with two; dead: processes that ended by
    themselves; slow: what took longer than it may. more: figures for people. problems: the first of each kind."""

    what: str
    times: int
    lost: int = 0
    double: int = 0
    dead: int = 0
    slow: int = 0
    more: str = ""
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.double or self.dead or self.slow or self.problems)

    def cells(self) -> tuple[str, ...]:
        counts = (self.times, self.lost, self.double, self.dead, self.slow)
        return (self.what, *(f"{count:,}" for count in counts), "; ".join([self.more, *self.problems[:3]]).strip("; "))

    def line(self) -> str:
        named = zip(_HEAD, self.cells(), strict=True)
        return "  ".join(cell if name == "what" else f"{name} {cell}" for name, cell in named if cell)


def table(outcomes: list[Outcome]) -> str:
    rows = [_HEAD, *(outcome.cells() for outcome in outcomes)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
