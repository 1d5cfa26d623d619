"""Several images at once give what one after another gives, in their order."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

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


@pytest.mark.parametrize("streams", [1, 2])
def test_calls_from_several_threads_take_turns(exported, photos, streams: int) -> None:
    """OpenVINO refuses a request that is busy, and a queue's answers went to whoever had called last."""
    model = open_detector(exported("openvino", "fp32"), threads=2, streams=streams)
    pixels = [model.preprocess(photo)[None] for photo in photos] * 8
    expected = [model.predict(one)[0].item() for one in pixels]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda one: model.predict(one)[0].item(), pixels)) == pytest.approx(expected, abs=1e-6)


def test_a_copy_for_another_process_opens_the_folder_again(exported, photos, monkeypatch, tmp_path) -> None:
    model = open_detector(exported("openvino", "fp32"), threads=1)
    data = pickle.dumps(model)
    monkeypatch.chdir(tmp_path)
    assert pickle.loads(data).detect(photos[0]).score == pytest.approx(model.detect(photos[0]).score, abs=1e-6)
