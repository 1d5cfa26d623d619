"""The files of one image."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect import Finished, ImageFiles, Result
from anomalyclip.errors import InputError, OutputError
from anomalyclip.io import read_map

MAP = np.linspace(0, 1, 300 * 400, dtype=np.float32).reshape(300, 400)


@pytest.fixture
def finished(result_of: Callable[..., Result]) -> Callable[..., Finished]:
    def make(name: str = "sub/part") -> Finished:
        result = result_of("part.png", 0.75)
        image = Image.new("RGB", (400, 300), (0, 128, 0))
        return Finished(
            replace(result, item=replace(result.item, name=name)), image.resize((320, 240)), MAP, image.copy
        )

    return make


@pytest.mark.parametrize("maps", ["tiff", "npz"])
def test_everything_below_its_own_name(tmp_path: Path, finished: Callable[..., Finished], maps: str) -> None:
    thumbnails = ImageFiles(tmp_path, maps=maps)(finished())  # type: ignore[arg-type]
    assert {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*.*")} == {
        f"maps/sub/part.{maps}",
        "overlays/sub/part.png",
    }
    assert np.array_equal(read_map(tmp_path / f"maps/sub/part.{maps}"), MAP)
    overlay = np.asarray(Image.open(tmp_path / "overlays/sub/part.png"), dtype=int)
    assert overlay.shape[0] > 300
    assert overlay.shape[1] > 400, "a colour bar and a caption stand beside the image"
    assert np.abs(overlay[1, 1] - [0, 128, 0]).max() < 8, "no anomaly, the image itself"
    assert np.abs(overlay[299, 399] - [0, 128, 0]).max() > 100
    assert thumbnails is not None
    sizes = []
    for uri in (thumbnails.image, thumbnails.heat):
        assert uri.startswith("data:image/jpeg;base64,")
        sizes.append(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size)
    assert sizes == [(320, 240)] * 2


def test_only_what_is_asked_for(tmp_path: Path, finished: Callable[..., Finished]) -> None:
    assert ImageFiles(tmp_path, overlay=False, maps="none", thumbnails=False)(finished()) is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../up", "/abs", "a/../../b"])
def test_names_never_leave_the_folder(tmp_path: Path, finished: Callable[..., Finished], name: str) -> None:
    with pytest.raises((InputError, ValueError)):
        ImageFiles(tmp_path / "out")(finished(name))
    assert list(tmp_path.rglob("*.tiff")) == []


def test_a_file_in_the_way_is_an_output_error(tmp_path: Path, finished: Callable[..., Finished]) -> None:
    (tmp_path / "overlays").write_text("x")
    with pytest.raises(OutputError, match="overlays"):
        ImageFiles(tmp_path, maps="none")(finished())
