"""Units that others speak for go without a trace; the rest is the best that least squares can do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import CLIP, random_clip
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.errors import ConfigError
from anomalyclip.pretraining import slimming
from anomalyclip.pretraining.slimming import _fitted, rendered_pictures, slim

WIDTH, HIDDEN = 32, 64


def made(hidden: int = HIDDEN) -> CLIP:
    vision = VisionConfig(image_size=32, patch_size=8, width=WIDTH, layers=2, heads=2, mlp_width=hidden)
    return random_clip(CLIPConfig(24, vision, TextConfig(16, 100, 16, 1, 2)), seed=3)


def pictures(count: int = 24) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(3, side, side, generator=generator) for side in (32, 48) for _ in range(count)]


def image_of(clip: CLIP, picture: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return clip.encode_image(picture[None])


def test_units_that_stand_twice_go_without_a_trace() -> None:
    clip = made()
    with torch.no_grad():
        for block in clip.visual.transformer.resblocks:
            block.mlp.c_fc.weight[HIDDEN // 2 :] = block.mlp.c_fc.weight[: HIDDEN // 2]
            block.mlp.c_fc.bias[HIDDEN // 2 :] = block.mlp.c_fc.bias[: HIDDEN // 2]
    slimmed = slim(clip, pictures(), HIDDEN // 2)
    assert slimmed.config.vision.mlp_width == HIDDEN // 2
    assert slimmed.visual.transformer.resblocks[1].mlp.c_proj.weight.shape == (WIDTH, HIDDEN // 2)
    fresh = torch.randn(3, 32, 32, generator=torch.Generator().manual_seed(9))
    torch.testing.assert_close(image_of(slimmed, fresh), image_of(clip, fresh), atol=2e-4, rtol=0)
    for name, tensor in clip.state_dict().items():
        if "mlp" not in name or not name.startswith("visual."):
            assert torch.equal(slimmed.state_dict()[name], tensor)


def test_as_many_units_change_nothing() -> None:
    clip = made()
    same, fresh = slim(clip, pictures(), HIDDEN), pictures(1)[0]
    torch.testing.assert_close(image_of(same, fresh), image_of(clip, fresh), atol=2e-4, rtol=0)


def test_least_squares_of_the_kept_units_and_a_better_choice_than_chance() -> None:
    rng = np.random.default_rng(0)
    units = rng.normal(size=(3000, 40)) @ rng.normal(size=(40, 40)) * np.geomspace(1, 1e-2, 40) + 1
    targets = units @ rng.normal(size=(40, 6)) + 3
    kept, weight, bias = _fitted(torch.from_numpy(units), torch.from_numpy(targets), 20)

    def error(chosen: np.ndarray) -> float:
        given = np.c_[units[:, chosen], np.ones(len(units))]
        found, *_ = np.linalg.lstsq(given, targets, rcond=None)
        return float(np.square(given @ found - targets).mean())

    ours = np.square(units[:, kept.numpy()] @ weight.numpy().T + bias.numpy() - targets).mean()
    assert ours == pytest.approx(error(kept.numpy()), rel=0.02)
    assert ours < min(error(rng.choice(40, 20, replace=False)) for _ in range(20))


def test_no_more_than_there_are() -> None:
    with pytest.raises(ConfigError, match="65 hidden units are more"):
        slim(made(), pictures(1), HIDDEN + 1)


def test_renders_come_at_both_sizes_that_pocket_sees() -> None:
    sides = [tuple(one.shape) for one in rendered_pictures(320, 2)]
    assert sides == [(3, 320, 320), (3, 320, 320), (3, 160, 160)]


def test_the_command_writes_weights_that_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slimming, "rendered_pictures", lambda side, count: iter(pictures()))
    save_clip(tmp_path / "whole.safetensors", made())
    slimming.main(tmp_path / "whole.safetensors", tmp_path / "slim.safetensors", HIDDEN // 2)
    found = load_clip(tmp_path / "slim.safetensors")
    expected = slim(load_clip(tmp_path / "whole.safetensors"), pictures(), HIDDEN // 2)
    assert found.config.vision.mlp_width == HIDDEN // 2
    torch.testing.assert_close(image_of(found, pictures(1)[0]), image_of(expected, pictures(1)[0]), atol=5e-3, rtol=0)
