"""Real anatomy and light from the lens: what the later families and defects promise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anomalyclip.data.synthetic import DEFECTS, render
from anomalyclip.data.synthetic.colon import facing
from anomalyclip.data.synthetic.heads import _sample, head_mri, volume
from anomalyclip.data.synthetic.scene import Scene, anywhere
from anomalyclip.data.synthetic.spot import Spot


def test_the_head_holds_its_brain() -> None:
    head, brain = volume()
    assert head.shape == brain.shape == (161, 217, 181)
    assert 0.15 < brain.mean() < 0.35
    assert head[brain].mean() > 2 * head[~brain].mean()
    middle = brain[:, :, 90].any(axis=1).mean(), brain[:, :, 2].any()
    assert middle[0] > 0.6
    assert not middle[1]


def test_reading_a_volume_is_trilinear() -> None:
    """Against a linear function of the coordinates, which trilinear reading gives exactly; zero outside."""
    grid = np.stack(np.meshgrid(np.arange(5), np.arange(6), np.arange(7), indexing="ij")).astype(np.float32)
    values = 2 * grid[0] + 3 * grid[1] - grid[2]
    rng = np.random.default_rng(0)
    at = tuple(rng.uniform(0, side - 1, (9, 9)).astype(np.float32) for side in values.shape)
    np.testing.assert_allclose(_sample(values, at), 2 * at[0] + 3 * at[1] - at[2], atol=1e-4)
    far = np.full((2, 2), 40.0, np.float32)
    assert not _sample(values, (far, far, far)).any()


def test_fluid_is_bright_in_some_contrasts_and_dark_in_others() -> None:
    """The same anatomy must not always have the same order of greys."""
    orders = set()
    for seed in range(12):
        scene = head_mri(96, np.random.default_rng(seed))
        inner = scene.image[..., 0][scene.where]
        if len(inner) > 200:
            orders.add(bool(np.median(inner) < (inner.min() + inner.max()) / 2))
    assert orders == {True, False}


def test_facing_is_the_cosine_of_the_slope() -> None:
    x = np.arange(32, dtype=np.float32)[None].repeat(32, 0)
    np.testing.assert_allclose(facing(0.75 * x, 1.0)[4:-4, 4:-4], 0.8, atol=1e-5)
    np.testing.assert_allclose(facing(np.zeros((8, 8), np.float32), 1.0), 1)


def _plate(n: int) -> Scene:
    noise = 0.02 * np.random.default_rng(1).random((n, n, 1), dtype=np.float32)
    return Scene(np.full((n, n, 3), 0.45, np.float32) + noise, "plate", anywhere(n), (0.6, -0.8))


@pytest.mark.parametrize("name", ["protrusion", "mass", "zone", "coarse"])
def test_the_outline_is_whole_and_holds_the_change(name: str) -> None:
    """No holes where the finding happens to have the ground's tone, and little change beyond its rim."""
    n = 160
    for seed in range(8):
        scene = _plate(n)
        edit = DEFECTS[name].maker(scene, Spot(80.0, 80.0, 30.0, 0.8), np.random.default_rng(seed))
        assert edit is not None
        assert edit.mask is not None
        outer, _ = cv2.findContours(edit.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        filled = cv2.drawContours(np.zeros((n, n), np.uint8), outer, -1, 1, cv2.FILLED)
        assert (filled.sum() - edit.mask.sum()) < 0.05 * edit.mask.sum()
        change = np.abs(edit.image - scene.image).max(2)
        assert change[edit.mask].mean() > 2 * change[~edit.mask].mean()


def test_a_growth_covers_any_share_of_the_picture() -> None:
    shares = [
        (sample.labels > 0).mean()
        for seed in range(30)
        for sample in [render(seed, 64, anomalous=True, families=["colon"])]
        if any(region.kind == "protrusion" for region in sample.regions)
    ]
    assert len(shares) > 10
    assert min(shares) < 0.05
    assert max(shares) > 0.2
