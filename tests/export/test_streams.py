"""Several images at once give what one after another gives, in their order."""

from __future__ import annotations

import numpy as np
import pytest

from anomalyclip.opening import open_detector

pytest.importorskip("openvino")


def test_streams_change_neither_values_nor_order(exported, photos) -> None:
    folder = exported("openvino", "fp32")
    one, two = (open_detector(folder, threads=2, streams=count) for count in (1, 2))
    assert (one.streams, two.streams) == (1, 2)
    pixels = np.stack([one.preprocess(photo) for photo in photos])
    for count in (3, 1):  # a batch, then one image: nothing of the batch is left over
        scores, maps = two.predict(pixels[:count])
        assert len(scores) == count
        for index in range(count):
            score, values = one.predict(pixels[index : index + 1])
            np.testing.assert_allclose(scores[index], score[0], atol=1e-6)
            np.testing.assert_allclose(maps[index], values[0], atol=1e-6)
    assert len({round(float(score), 6) for score in two.predict(pixels)[0]}) == 3
