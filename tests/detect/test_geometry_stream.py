"""Large and odd images in the stream: the same numbers as image by image, in order, in bounded memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect import Finished, InputItem, Rules, detect_stream
from anomalyclip.detect import pipeline as pipeline_module
from anomalyclip.detect.ahead import Ahead
from anomalyclip.detect.names import path_key
from anomalyclip.detecting import survey
from anomalyclip.errors import ConfigError
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.io import read_image

Threads = Callable[[], list[threading.Thread]]


def items(*paths: object) -> Iterator[InputItem]:
    return (InputItem(str(p), Path(str(p)).stem, path_key(str(p))) for p in paths)


@pytest.fixture
def mixed(tmp_path: Path) -> list[Path]:
    """Images of one to many tiles of 16 pixels, among them one that is none."""
    rng = np.random.default_rng(5)
    paths = []
    for i, (width, height) in enumerate([(16, 16), (50, 40), (8, 6), (17, 16), (100, 30), (1, 60)]):
        paths.append(tmp_path / f"{i}.png")
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(paths[-1])
    (tmp_path / "bad.png").write_text("no image")
    paths.insert(2, tmp_path / "bad.png")
    return paths


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (8, 4), (64, 1)])
@pytest.mark.parametrize(("kept", "ahead"), [(None, False), (1, False), (None, True)])
def test_the_stream_gives_what_each_image_gives_alone(
    model: Any,
    mixed: list[Path],
    batch_size: int,
    workers: int,
    kept: int | None,
    ahead: bool,
    monkeypatch: pytest.MonkeyPatch,
    own_threads: Threads,
) -> None:
    if kept is not None:
        monkeypatch.setattr(pipeline_module, "KEPT_BYTES", kept)  # read twice, one image at a time
    model.ahead = ahead
    geometry, maps = Geometry(tile=16, overlap=0.3, scales=(1, 0.5)), {}

    def sink(finished: Finished) -> None:
        maps[finished.result.item.name] = finished.anomaly_map
        assert finished.original().size == (finished.result.width, finished.result.height)

    stream = detect_stream(model, items(*mixed), batch_size=batch_size, workers=workers, geometry=geometry, sink=sink)
    results = list(stream)
    assert max(model.batches) <= batch_size
    assert [r.item.path for r in results] == [str(p) for p in mixed]
    assert [r.item.name for r in results if r.error] == ["bad"]
    for result in (r for r in results if not r.error):
        expected = survey(model, read_image(result.item.path), geometry)
        assert result.score == pytest.approx(expected.score, abs=1e-6)
        np.testing.assert_allclose(maps[result.item.name], expected.anomaly_map, atol=1e-6)
        assert result.geometry == expected.record
    assert own_threads() == []


def test_tiles_of_several_images_share_a_batch(model: Any, png: Callable[..., Path]) -> None:
    given = [png(f"{i}.png", size=(48, 16)) for i in range(4)]
    list(detect_stream(model, items(*given), batch_size=6, geometry=Geometry(tile=16, overlap=0)))
    assert model.batches == [6, 6]


@pytest.mark.parametrize("ahead", [False, True])
def test_a_tile_the_model_fails_on_costs_its_own_image_only(model: Any, png: Callable[..., Path], ahead: bool) -> None:
    model.ahead = ahead
    bad = png("bad.png", size=(64, 16))
    with Image.open(bad) as image:
        spoilt = image.copy()
    spoilt.paste((255, 0, 255), (16, 0, 32, 16))
    spoilt.save(bad)
    given = [png("a.png", size=(64, 16)), bad, png("b.png", 200, size=(64, 16))]
    results = list(detect_stream(model, items(*given), batch_size=3, geometry=Geometry(tile=16, overlap=0)))
    assert [r.error for r in results] == [
        None,
        "the model failed on this image: RuntimeError: magenta is not supported",
        None,
    ]
    assert [r.score for r in results] == [pytest.approx(128 / 255), None, pytest.approx(200 / 255)]


def test_images_in_several_views_are_held_within_the_budget(
    model: Any, png: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each holds 7 * 64 * 32 bytes: two fit, the third waits until one of them is out."""
    monkeypatch.setattr(pipeline_module, "KEPT_BYTES", 2 * 7 * 64 * 32)
    held: list[int] = []
    take = Ahead.take

    def watched(self: Any) -> Any:
        held.append(self.held)
        return take(self)

    monkeypatch.setattr(Ahead, "take", watched)
    given = [png(f"{i}.png", size=(64, 32)) for i in range(9)]
    results = list(detect_stream(model, items(*given), batch_size=32, geometry=Geometry(tile=16, overlap=0)))
    assert len(results) == 9
    assert max(held) == 2 * 7 * 64 * 32


def test_a_file_that_changes_before_its_tiles_are_cut_fails(
    model: Any, png: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "KEPT_BYTES", 1)
    path, reads = png("a.png", size=(64, 32)), []

    def read(item: InputItem) -> Image.Image:
        reads.append(item)
        return Image.new("RGB", (64, 32) if len(reads) == 1 else (5, 5))

    (result,) = detect_stream(model, items(path), read=read, geometry=Geometry(tile=16))
    assert "changed while it was being read" in str(result.error)


def test_progress_of_an_image_in_several_views(model: Any, png: Callable[..., Path]) -> None:
    seen: list[tuple[int, int]] = []
    given = [png("a.png", size=(64, 16)), png("small.png")]
    stream = detect_stream(
        model, items(*given), batch_size=3, geometry=Geometry(tile=16, overlap=0), on_view=lambda *n: seen.append(n)
    )
    assert [r.geometry for r in stream] == [{"views": 4}, None]
    assert seen == [(3, 4), (4, 4)]


def test_closing_in_the_middle_of_an_image_leaves_no_thread(
    model: Any, png: Callable[..., Path], own_threads: Threads
) -> None:
    given = [png("a.png"), png("large.png", size=(640, 640))]
    stream = detect_stream(model, items(*given), batch_size=2, geometry=Geometry(tile=16))
    next(stream)
    stream.close()
    assert own_threads() == []
    assert sum(model.batches) < 20


def test_regions_lie_inside_the_area_even_at_threshold_zero(model: Any, png: Callable[..., Path]) -> None:
    areas = Areas.open("4,2,10,6")
    (result,) = detect_stream(
        model, items(png("a.png", size=(32, 20))), rules=Rules(pixel_threshold=0.0), areas=areas, sink=lambda _: None
    )
    assert [region["box"] for region in result.regions] == [[4, 2, 10, 6]]
    assert result.geometry == {"views": 1, "box": [4, 2, 10, 6], "inside": 0.09375}


def test_an_ignored_peak_lowers_the_score_by_its_share(model: Any, tmp_path: Path) -> None:
    pixels = np.full((16, 16, 3), 51, np.uint8)
    pixels[2, 2] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    ignore = np.zeros((16, 16), bool)
    ignore[:4, :4] = True
    model.judge.peak = (0.25, 0.0)
    (plain,) = detect_stream(model, items(tmp_path / "a.png"))
    (masked,) = detect_stream(model, items(tmp_path / "a.png"), areas=Areas.open(None, ignore))
    assert plain.score is not None
    assert masked.score == pytest.approx(plain.score - 0.25 * 0.8)


def test_a_mask_of_another_size_is_the_rows_error(model: Any, png: Callable[..., Path]) -> None:
    given = [png("a.png"), png("b.png", size=(9, 9))]
    results = list(detect_stream(model, items(*given), areas=Areas.open(None, np.eye(6, 8, dtype=bool))))
    assert [r.error for r in results] == [
        None,
        "the ignore mask has 8 x 6 pixels, the image 9 x 9: give a mask of the image's own size",
    ]


def test_the_mask_of_each_image_is_told(model: Any, png: Callable[..., Path], tmp_path: Path) -> None:
    Image.new("L", (8, 6)).save(png("masks/x.png").parent / "a_mask.png")
    results = detect_stream(model, items(png("a.png"), png("b.png")), areas=Areas.open(None, tmp_path / "masks"))
    assert [r.geometry for r in results] == [
        {"ignore_mask": str(tmp_path / "masks" / "a_mask.png")},
        {"ignore_mask": None},
    ]


def test_a_model_of_one_size_is_refused_before_anything_is_read(model: Any) -> None:
    with pytest.raises(ConfigError, match="one input size"):
        next(detect_stream(model, items("gone.png"), geometry=Geometry(keep_aspect=True)))


def test_a_tiled_nan_is_a_failure(model: Any, png: Callable[..., Path]) -> None:
    model.predict = lambda pixels: (np.full(len(pixels), np.nan), np.zeros((len(pixels), 4, 4), np.float32))
    (result,) = detect_stream(model, items(png("a.png", size=(64, 16))), geometry=Geometry(tile=16))
    assert result.score is None
    assert "nan" in str(result.error)
