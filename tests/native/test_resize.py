"""The kernel's resize is Pillow's to the last bit, wherever it is taken; elsewhere Pillow itself is asked."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.data.transforms import normalise, preprocess
from anomalyclip.data.transforms import resize as pillows
from anomalyclip.native.compile import SWITCH
from anomalyclip.native.library import why_not
from anomalyclip.native.resize import resize_rgb, resizes

pytestmark = pytest.mark.skipif(why_not("fp32") is not None, reason=f"no kernels here: {why_not('fp32')}")
LEVELS = np.random.default_rng(0).permutation(768).astype(np.float32).reshape(3, 256)


def picture(width: int, height: int, seed: int, *, hard: bool) -> Image.Image:
    """Noise, or noise of black and white, whose overshoots are cut."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray((values > 127).astype(np.uint8) * 255 if hard else values)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    sides=st.tuples(*(st.integers(1, 130) for _ in range(4))),
    seed=st.integers(0, 99),
    hard=st.booleans(),
    name=st.sampled_from(("bicubic", "bilinear")),
)
def test_every_level_is_pillows(sides: tuple[int, int, int, int], seed: int, hard: bool, name: str) -> None:
    width, height, across, down = sides
    image, size = picture(width, height, seed, hard=hard), (down, across)
    if not resizes(image, size, name):
        assert height > width or height * across > width * down
        return
    levels = pillows(image, size, Preprocessing(interpolation=name))
    assert np.array_equal(
        resize_rgb(image, size, name, LEVELS), np.stack([LEVELS[c][levels[..., c]] for c in range(3)])
    )


@pytest.mark.parametrize("size", [(640, 480), (320, 320), (512, 512), (200, 100), (100, 200)])
def test_preprocessing_is_the_same_with_and_without(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    image = picture(*size, 3, hard=False)
    found = preprocess(image, 320)
    assert np.array_equal(found, normalise(pillows(image, 320)))
    monkeypatch.setenv(SWITCH, "0")
    assert not resizes(image, (320, 320), "bicubic")
    assert np.array_equal(found, preprocess(image, 320))


def test_what_it_does_not_know_stays_with_pillow() -> None:
    image = picture(20, 10, 0, hard=False)
    assert resizes(image, (5, 5), "bicubic")
    assert not resizes(image, (5, 5), "lanczos")
    assert not resizes(image.convert("L"), (5, 5), "bicubic")
    assert not resizes(image.rotate(90, expand=True), (5, 5), "bicubic"), "Pillow may take its columns first"
