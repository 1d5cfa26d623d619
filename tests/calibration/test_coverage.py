"""False alarms of whole lines, simulated: memory, statistics standardised on the pictures' own scores, line, scale.

Pictures are random patches around common ones; each draw makes a line by `learn` and judges pictures it has not seen by
`LineJudge`'s own numbers. Rates that n pictures do not support are drawn at the smallest that they do.
"""

from __future__ import annotations

import numpy as np
import pytest

from anomalyclip.calibration.conformal import allowed_or_smallest, just_above
from anomalyclip.calibration.gathering import Good
from anomalyclip.calibration.lining import learn
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.seen import Seen
from anomalyclip.judges.memory.source import Source

SOURCE, VIEWS = Source("stages", (4,)), plan_views((4, 4), Geometry())


def seen(rng: np.random.Generator, common: np.ndarray) -> Seen:
    """A picture: common patches, noise whose strength differs from picture to picture, words that vary, too."""
    noise = rng.normal(size=common.shape) * rng.gamma(4, 0.05)
    described = unit((common + noise).astype(np.float32))
    words = rng.beta(2, 6, len(common)).astype(np.float32)
    return Seen(
        described,
        (3, 3),
        words,
        float(rng.uniform(0.1, 0.6)),
        rng.random((4, 4), np.float32),
        float(rng.uniform(0.1, 0.6)),
    )


def good(rng: np.random.Generator, common: np.ndarray, number: int) -> Good:
    def gone() -> None:
        raise AssertionError

    one = seen(rng, common)
    return Good(f"{number}.png", (4, 4), number.to_bytes(16, "big"), VIEWS, [one], None, gone, b"")  # type: ignore[arg-type]


def false_alarms(n: int, rate: float, draws: int, fresh: int, kinds: int) -> tuple[np.ndarray, str]:
    """The share of `fresh` new good pictures of any kind above the line, of each draw; the mixture of the last."""
    rng = np.random.default_rng(n)
    shares = []
    for _ in range(draws):
        common = rng.normal(size=(kinds, 9, 4 if kinds == 1 else 32))
        drawn = iter(rng.integers(kinds, size=n + fresh))
        pictures = [good(rng, common[next(drawn)], number) for number in range(n)]
        line = learn(pictures, SOURCE, rate=rate, pixel_rate=rate, sigma=0).line
        scores = np.array([line.judge(seen(rng, common[kind]))[0] for kind in drawn], np.float32)
        shares.append(float((scores >= just_above(0.5)).mean()))
    return np.array(shares), line.mixture.name


@pytest.mark.parametrize(
    ("n", "rate", "draws", "kinds"),
    [(10, 0.01, 40, 1), (10, 0.1, 40, 1), (25, 0.01, 16, 1), (25, 0.05, 16, 1), (25, 0.1, 16, 1),
     (100, 0.01, 2, 1), (100, 0.05, 2, 1), (100, 0.1, 2, 1), (12, 0.1, 30, 2)],
)  # fmt: skip
def test_a_line_calls_as_many_good_pictures_anomalous_as_it_says(n: int, rate: float, draws: int, kinds: int) -> None:
    """10 pictures support 1 in 11: at 1% they draw the same line as at 5%. 12 are remembered whole."""
    supported = allowed_or_smallest(n, rate)
    shares, mixture = false_alarms(n, rate, draws, 60, kinds)
    assert mixture == ("many-kinds" if kinds > 1 else "auto"), "the way of joining is chosen in each draw, too"
    error = max(shares.std(ddof=1) / np.sqrt(draws), np.sqrt(supported / (60 * draws)))
    most = (np.floor(supported * (n + 1) + 1e-9) + 1) / (n + 1)
    assert shares.mean() <= most + 3 * error, "never beyond the next score's own rate"
    assert shares.mean() == pytest.approx(supported, abs=0.35 * supported + 3 * error)
