"""FLOPs against the textbook's count, the ceiling against its meaning, the profile against what must be in it."""

from __future__ import annotations

import math

import pytest
import torch

from anomalyclip.bench.ceiling import Ceiling, ceiling_share, flops
from anomalyclip.bench.operators import profile_operators
from anomalyclip.detector import Detector
from anomalyclip.native import why_not


def test_flops_of_the_tiny_model(tiny: Detector) -> None:
    """2 blocks with one path and 4 with two, of which the last needs its original path for the class token only."""
    n, d, heads_width, e, patch = 26, 128, 128, 64, 14
    linear = lambda rows, inner, outer: 2 * rows * inner * outer  # noqa: E731
    attention = lambda rows: 2 * rows * n * heads_width * 2  # noqa: E731
    mlp = lambda rows: 2 * linear(rows, d, 4 * d)  # noqa: E731
    single = linear(n, d, 3 * d) + linear(n, d, d) + mlp(n)
    dual = single + linear(n, d, d)
    last = linear(n, d, 3 * d) + linear(n, d, d) + linear(1, d, d) + mlp(1)
    found = flops(tiny)
    assert found["attention"] * 1e9 == pytest.approx(
        2 * attention(n) + 3 * 2 * attention(n) + attention(n) + attention(1)
    )
    assert found["convolutions"] * 1e9 == pytest.approx(linear(25, 3 * patch**2, d) + 2 * 70 * 70 * 33 * 2)  # and Gauss
    heads = 3 * linear(25, d, e) + linear(1, d, e) + 3 * linear(25, e, 2) + linear(1, e, 2)
    assert found["products"] * 1e9 == pytest.approx(2 * single + 3 * dual + last + heads)
    assert found["total"] == pytest.approx(sum(found[part] for part in ("products", "attention", "convolutions")))


def test_the_ceiling_is_what_a_product_takes() -> None:
    before = torch.backends.quantized.engine
    ceiling = Ceiling()
    assert torch.backends.quantized.engine == before
    assert 0.5 < ceiling.best["fp32"] < 100_000
    assert ceiling.best.get("int8", 1.0) > 0.5
    assert math.isnan(ceiling.now("int4"))


def test_the_best_of_all_is_kept(small_product: None) -> None:
    ceiling = Ceiling()
    highest = max(ceiling.best["fp32"], *(ceiling.now("fp32", rounds=1) for _ in range(3)))
    assert ceiling.best["fp32"] == highest


@pytest.mark.skipif(why_not("fp32") is not None, reason=str(why_not("fp32")))
def test_our_own_product_counts_in_the_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share of the slower product's rate would flatter."""
    monkeypatch.setattr("anomalyclip.bench.ceiling.linear", lambda x, weight, bias: x)  # takes no time
    assert Ceiling().best["fp32"] > 100_000


def test_a_share_is_of_what_the_machine_gave_at_that_moment() -> None:
    """Half the speed in a slow moment is as near to the ceiling as all of it in a quick one."""
    assert ceiling_share(80, [1.0, 2.0, 1.0], [100, 90, 40, 50, 160, 100]) == pytest.approx(0.8)


def test_the_profile_names_where_time_goes(tiny: Detector) -> None:
    found = profile_operators(tiny, runs=1)
    assert {"addmm", "native_layer_norm"} <= {one.name for one in found}
    assert 0.8 < sum(one.share for one in found) <= 1.0001
    assert [one.seconds for one in found] == sorted((one.seconds for one in found), reverse=True)
