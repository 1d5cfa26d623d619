"""Pairs of patches for the report: cut where they lie, bounded, and nothing of a stranger's file gets through."""

from __future__ import annotations

import base64
import io
from types import SimpleNamespace

import numpy as np
from PIL import Image

from anomalyclip.detect.beside import PAIRS, pairs_of


def jpeg(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def finished(regions: list[dict[str, object]]) -> SimpleNamespace:
    """A picture of 400 x 200 whose left half is blue, right half yellow, as a thumbnail of 200 x 100."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :100, 2] = pixels[:, 100:, 0] = pixels[:, 100:, 1] = 255
    result = SimpleNamespace(width=400, height=200, regions=regions)
    return SimpleNamespace(result=result, thumbnail=Image.fromarray(pixels))


def nearest(**changed: object) -> dict[str, object]:
    told = {"patch": [310, 90, 20, 20], "number": 0, "picture": "<a>.png", "box": [5, 5, 20, 20], "distance": 0.25}
    return {"peak": 0.9, "nearest": {**told, "size": [100, 100], **changed}}


def opened(uri: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def test_patches_are_cut_where_they_lie() -> None:
    good = Image.new("RGB", (50, 50), (0, 200, 0))  # shows 100 x 100
    good.paste((200, 0, 0), (0, 0, 12, 12))
    (pair,) = pairs_of(finished([nearest()]), [jpeg(good)])
    own, beside = opened(pair.own), opened(pair.good)
    assert np.abs(own[60, 60] - (255, 255, 0)).max() < 40, "the patch lies in the yellow half"
    assert np.abs(own[5, 5] - (255, 255, 0)).max() < 40, "so does all around it"
    assert np.abs(beside[14, 14] - (200, 0, 0)).max() < 60, "the corner of the good picture is not shifted"
    assert np.abs(beside[100, 100] - (0, 200, 0)).max() < 60
    assert pair.words == "peak 0.900; nearest in <a>.png, distance 0.250"


def test_only_the_strongest_are_shown_and_what_cannot_be_is_left_out() -> None:
    good = [jpeg(Image.new("RGB", (8, 8))), b"no picture"]
    regions = [nearest(number=1), nearest(number=7), {"peak": 0.8}, *[nearest() for _ in range(9)]]
    assert len(pairs_of(finished(regions), good)) == PAIRS
    assert pairs_of(finished([nearest(number=1)]), good) == ()
    large = jpeg(Image.new("L", (2000, 2000)))
    assert pairs_of(finished([nearest()]), [large]) == ()
