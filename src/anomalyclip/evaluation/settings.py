"""What, besides the model and the data, decides an evaluation's numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from anomalyclip.errors import ConfigError
from anomalyclip.metrics import PixelMetrics

Resolution = Literal["model", "native"]
MAX_RESAMPLES = 1_000_000
LEVEL = 0.95


@dataclass(frozen=True)
class EvaluationSettings:
    """Raises ConfigError for a value outside its range.

    Attributes:
        resolution: where maps and masks are compared: "model" scales masks to the map's S x S, as published; "native"
            scales maps to the image's own size.
        exact_pixels: keep every pixel (4 bytes each, one class at a time) instead of a histogram of constant size.
        fpr_limit: AUPRO is integrated up to this false-positive rate, 0 < limit <= 1.
        resamples: of the bootstrap behind the 95% intervals; 0 leaves them out.
        seed: of the bootstrap.
        threshold: scores from here on are anomalous; recall and false alarms are then told. None makes no decisions.
    """

    resolution: Resolution = "model"
    exact_pixels: bool = False
    fpr_limit: float = 0.3
    resamples: int = 1000
    seed: int = 0
    threshold: float | None = None

    def __post_init__(self) -> None:
        if self.resolution not in get_args(Resolution):
            raise ConfigError(f"resolution {self.resolution!r}: expected model (maps of S x S, as published) or native")
        if not 0 <= self.resamples <= MAX_RESAMPLES:
            raise ConfigError(f"resamples {self.resamples}: expected 0 (no intervals) to {MAX_RESAMPLES:,}")
        if self.seed < 0:
            raise ConfigError(f"seed {self.seed}: expected 0 or more")
        self.pixel_metrics()

    def recorded(self) -> dict[str, Any]:
        """As JSON values; without a threshold as before there was one."""
        return {name: value for name, value in asdict(self).items() if (name, value) != ("threshold", None)}

    def pixel_metrics(self) -> PixelMetrics:
        """An empty collector of the pixel metrics."""
        return PixelMetrics(mode="exact" if self.exact_pixels else "streaming", fpr_limit=self.fpr_limit)
