"""What decides a few-shot evaluation besides the model and the data."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from anomalyclip.calibration.conformal import check_rate
from anomalyclip.calibration.lining import MOST
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.recipes import AUTO, check_recipe

DRAWS, FPR = 5, 0.05


@dataclass(frozen=True)
class FewShotSettings:
    """Raises ConfigError for a value outside its range.

    Attributes:
        shots: numbers k of good pictures, 1 to 100 each.
        draws: how often k pictures are drawn.
        fpr: share of good pictures that the line may call anomalous; recall is told at it.
        seed: of the draws.
        memory: how pictures are remembered, see :mod:`anomalyclip.judges.memory.recipes`. aligned: radius in patches of
            a same-place search, None is anywhere. augment: remember turned and mirrored copies, too.
    """

    shots: tuple[int, ...]
    draws: int = DRAWS
    fpr: float = FPR
    seed: int = 0
    memory: str = AUTO
    aligned: int | None = None
    augment: bool = False

    def __post_init__(self) -> None:
        if not self.shots or not all(1 <= number <= MOST for number in self.shots):
            raise ConfigError(f"shots {list(self.shots)}: expected numbers of good pictures from 1 to {MOST}")
        if self.draws < 1 or self.seed < 0:
            raise ConfigError(f"draws {self.draws} and seed {self.seed}: expected 1 or more, and 0 or more")
        check_rate(self.fpr)
        check_recipe(self.memory)

    def recorded(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self) | {"shots": list(self.shots)}
