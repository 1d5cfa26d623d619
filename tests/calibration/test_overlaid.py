"""The same part photographed twice is known by its pixels, shifted, turned and noisy as the second picture may be."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from anomalyclip.calibration.overlaid import SIDE, overlaid
from anomalyclip.data.synthetic import render

SIZE = 256


def photo(seed: int, kind: str) -> np.ndarray:
    return render(seed, SIZE, anomalous=False, families=[kind]).image


def again(picture: np.ndarray, right: float, down: float, degrees: float = 0.0, noise: float = 4.0) -> np.ndarray:
    """The camera moved a little, and made noise of its own; a little darker."""
    moved = cv2.getRotationMatrix2D((SIZE / 2, SIZE / 2), degrees, 1.0)
    moved[:, 2] += right, down
    taken = cv2.warpAffine(picture, moved, (SIZE, SIZE), borderMode=cv2.BORDER_REFLECT_101).astype(float)
    return (0.95 * taken + np.random.default_rng(3).normal(0, noise, taken.shape)).clip(0, 255).astype(np.uint8)


def far(count: int) -> np.ndarray:
    """Patches that say nothing."""
    return np.ones((count, count))


def jpeg(picture: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


@pytest.mark.parametrize("kind", ["washer", "fabric"])
def test_a_shifted_copy_is_the_only_pair(kind: str) -> None:
    pictures = [photo(seed, kind) for seed in range(6)]
    jpegs = [jpeg(one) for one in pictures]
    assert overlaid(jpegs, far(6)) == [], "parts of one kind are no copies of each other"
    for change in ((-2, 2), (2, 1, 1.5)):
        assert overlaid([*jpegs, jpeg(again(pictures[3], *change))], far(7)) == [(3, 6)]


def test_pictures_without_details_or_files_have_no_pair() -> None:
    flat = [jpeg(np.full((SIDE, SIDE, 3), level, np.uint8)) for level in (10, 90, 90, 200, 201)]
    assert overlaid(flat, far(5)) == []
    assert overlaid([b"", b"no picture", *flat[:2]], far(4)) == []
    assert overlaid([], far(0)) == []
