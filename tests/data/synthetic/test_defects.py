"""Every defect on its own: it renders, stays inside its support, and is reachable from some family."""

from __future__ import annotations

import numpy as np
import pytest

from anomalyclip.data.synthetic import DEFECTS, FAMILIES
from anomalyclip.data.synthetic.catalogue import applicable
from anomalyclip.data.synthetic.rendering import changed
from anomalyclip.data.synthetic.scene import Scene, anywhere
from anomalyclip.data.synthetic.spot import Spot, local


def _hosts(name: str) -> list[str]:
    return [f for f, row in FAMILIES.items() if row.traits & DEFECTS[name].needs]


@pytest.mark.parametrize("name", DEFECTS)
def test_every_defect_has_a_family(name: str) -> None:
    assert _hosts(name)
    assert DEFECTS[name].name == name
    low, high = DEFECTS[name].area
    assert 0 < low < high <= 0.4


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_several_defects(name: str) -> None:
    assert len(applicable(FAMILIES[name].traits)) >= 2
    assert FAMILIES[name].name == name


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("n", [64, 128, 224])
def test_every_defect_draws_at_every_size(name: str, n: int) -> None:
    """Some tries may decline (no rim, no parts), but not all; what is drawn stays finite and inside the support."""
    defect, drawn = DEFECTS[name], 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        hosts = _hosts(name)
        scene = FAMILIES[hosts[seed % len(hosts)]].renderer(n, rng)
        ys, xs = np.nonzero(scene.where)
        k = len(ys) // 2
        edit = defect.maker(scene, Spot(float(xs[k]), float(ys[k]), n * 0.12, 0.9), rng)
        if edit is None:
            continue
        assert edit.image.shape == scene.image.shape
        assert np.isfinite(edit.image).all()
        assert edit.words
        drawn += int(np.abs(np.clip(edit.image, 0, 1) - scene.image).max() > 0.03)
    assert drawn >= 1


def _plain(n: int) -> Scene:
    return Scene(np.full((n, n, 3), 0.5, np.float32), "plate", anywhere(n), (0.6, -0.8))


@pytest.mark.parametrize("name", ["scratch", "crack", "hole", "dent", "stain", "particle", "droplet", "burn", "paste"])
def test_a_surface_defect_stays_near_its_spot(name: str) -> None:
    n = 160
    scene = _plain(n)
    scene.image *= 1 + 0.2 * np.random.default_rng(9).random((n, n, 1), dtype=np.float32)
    edit = DEFECTS[name].maker(scene, Spot(60.0, 90.0, 12.0, 0.9), np.random.default_rng(3))
    assert edit is not None
    ys, xs = np.nonzero(np.abs(edit.image - scene.image).max(2) > 0.02)
    assert len(ys) > 10
    assert np.hypot(xs - 60, ys - 90).max() < 12.0 * 5
    assert np.hypot(xs.mean() - 60, ys.mean() - 90) < 12.0 * 2


def test_a_mask_covers_every_clearly_changed_pixel() -> None:
    rng = np.random.default_rng(0)
    old = rng.random((80, 80, 3), dtype=np.float32)
    new = old.copy()
    new[20:40, 30:50] = 1 - new[20:40, 30:50]
    mask = changed(old, new, filled=True)
    assert mask[np.abs(new - old).max(2) > 0.07].all()
    assert not mask[:15].any()
    assert not mask[50:].any()
    assert not changed(old, old, filled=True).any()


def test_a_spot_outside_the_picture_still_finds_a_colour() -> None:
    assert np.allclose(local(_plain(40), Spot(-30.0, 90.0, 3.0, 1.0)), 0.5)
