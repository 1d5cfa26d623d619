"""The stream: order, failures in their own row, bounded work ahead, clean ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.detect import Finished, InputItem, Result, Rules, Thumbnails, detect_stream
from anomalyclip.detect import pipeline as pipeline_module
from anomalyclip.detect.names import path_key
from anomalyclip.errors import OutputError
from anomalyclip.io.reading import Reading

Threads = Callable[[], list[threading.Thread]]


def items(*paths: object) -> Iterator[InputItem]:
    return (InputItem(str(p), Path(str(p)).stem, path_key(str(p))) for p in paths)


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (3, 2), (8, 4), (50, 1)])
def test_results_come_in_input_order_with_the_models_numbers(
    model: Any, png: Callable[..., Path], batch_size: int, workers: int, own_threads: Threads
) -> None:
    greys = [3 * i for i in range(20)]
    results = list(detect_stream(model, items(*(png(f"{i}.png", g) for i, g in enumerate(greys))),
                                 batch_size=batch_size, workers=workers, rules=Rules(threshold=0.1)))  # fmt: skip
    assert [r.item.name for r in results] == [str(i) for i in range(20)]
    assert [r.score for r in results] == pytest.approx([g / 255 for g in greys], abs=1e-6)
    assert [r.decision for r in results] == ["anomalous" if g / 255 >= 0.1 else "normal" for g in greys]
    assert {(r.width, r.height, r.error) for r in results} == {(8, 6, None)}
    assert max(model.batches) <= batch_size
    assert sum(model.batches) == 20
    assert model.threads == {threading.get_ident()}
    assert own_threads() == []


def test_bad_images_fail_in_their_place_and_the_others_go_on(
    model: Any, png: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "text.png").write_text("not an image")
    given = [png("a.png"), tmp_path / "text.png", tmp_path / "gone.png", png("b.png", 200)]
    missing = InputItem("x", "x", b"x", "no such file or folder")
    results = list(detect_stream(model, [*items(*given), missing], batch_size=2))
    assert [r.error is None for r in results] == [True, False, False, True, False]
    assert "not an image" in str(results[1].error)
    assert str(tmp_path) not in str(results[1].error), "the row has the path already"
    assert results[4].error == "no such file or folder"
    assert (results[1].score, results[1].width, results[1].decision, results[1].regions) == (None, None, None, [])


def test_the_next_batch_begins_before_one_is_judged(model: Any, png: Callable[..., Path]) -> None:
    model.ahead = True
    given = [png(f"{number}.png", 10 * number) for number in range(6)]
    results = list(detect_stream(model, items(*given), batch_size=2))
    assert model.told == ["begun 0", "begun 1", "judged 0", "begun 2", "judged 1", "judged 2"]
    assert [r.score for r in results] == pytest.approx([10 * number / 255 for number in range(6)], abs=1e-6)
    assert model.threads == {threading.get_ident()}, "judges may keep state: they run on one thread"


def test_a_judge_that_learns_has_each_batch_to_itself(model: Any, png: Callable[..., Path]) -> None:
    model.ahead = True
    assert len(list(detect_stream(model, items(*[png("a.png")] * 3), batch_size=2, in_step=True))) == 3
    assert (model.told, model.batches) == ([], [2, 1])


@pytest.mark.parametrize("ahead", [False, True])
def test_a_batch_the_model_fails_on_is_tried_one_by_one(model: Any, png: Callable[..., Path], ahead: bool) -> None:
    model.ahead = ahead
    given = [png("a.png"), png("m.png", colour=(255, 0, 255)), png("b.png")]
    results = list(detect_stream(model, items(*given), batch_size=3))
    assert model.batches == [3, 1, 1, 1]
    assert [r.error for r in results] == [
        None,
        "the model failed on this image: RuntimeError: magenta is not supported",
        None,
    ]
    assert (results[1].width, results[1].height) == (8, 6)


def test_a_score_that_is_no_number_is_a_failure(model: Any, png: Callable[..., Path]) -> None:
    model.predict = lambda pixels: (np.full(len(pixels), np.nan), np.zeros((len(pixels), 4, 4), np.float32))
    (result,) = detect_stream(model, items(png("a.png")))
    assert result.score is None
    assert "nan" in str(result.error)


def test_the_sink_gets_the_map_at_the_images_size(model: Any, tmp_path: Path) -> None:
    ramp = np.zeros((40, 60, 3), dtype=np.uint8)
    ramp[:, 30:] = 255
    Image.fromarray(ramp).save(tmp_path / "half.png")
    seen: list[Finished] = []

    def sink(finished: Finished) -> Thumbnails:
        seen.append(finished)
        return Thumbnails("i", "h")

    rules = Rules(threshold=0.4, pixel_threshold=0.5, min_area=1)
    (result,) = detect_stream(model, items(tmp_path / "half.png"), rules=rules, sink=sink)
    assert result.thumbnails == Thumbnails("i", "h")
    assert seen[0].anomaly_map.shape == (40, 60)
    assert seen[0].anomaly_map[:, :20].max() < 0.05 < 0.95 < seen[0].anomaly_map[:, 40:].min()
    assert seen[0].result.score == result.score
    assert seen[0].original().size == (60, 40)
    (region,) = result.regions
    assert region["box"] == [30, 0, 30, 40]


def test_a_sink_that_fails_costs_its_own_image_only_and_the_score_is_kept(model: Any, png: Callable[..., Path]) -> None:
    def sink(finished: Finished) -> None:
        if finished.result.item.name == "b":
            raise OutputError("cannot write overlays/b.png: the disk is full")

    results = list(detect_stream(model, items(png("a.png"), png("b.png"), png("c.png")), sink=sink))
    assert [r.error for r in results] == [None, "cannot write overlays/b.png: the disk is full", None]
    assert results[1].score == pytest.approx(128 / 255)


def test_large_originals_are_not_kept_but_read_again(
    model: Any, png: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_module, "KEPT_BYTES", 1)
    path = png("a.png", size=(900, 700))
    originals: list[Image.Image] = []

    def sink(finished: Finished) -> None:
        assert max(finished.thumbnail.size) == pipeline_module.THUMBNAIL_SIDE
        originals.append(finished.original())
        Image.new("RGB", (5, 5)).save(path)
        finished.original()

    (result,) = detect_stream(model, items(path), sink=sink)
    assert originals[0].size == (900, 700)
    assert "changed while it was being read" in str(result.error)


def test_memory_is_bounded_because_work_ahead_is(model: Any, png: Callable[..., Path]) -> None:
    path, taken, done = png("a.png"), 0, 0
    furthest = 0

    def source() -> Iterator[InputItem]:
        nonlocal taken
        for i in range(200):
            taken += 1
            yield InputItem(str(path), str(i), str(i).encode())

    for _ in detect_stream(model, source(), batch_size=4, workers=2, sink=lambda _: None):
        done += 1
        furthest = max(furthest, taken - done)
    assert done == 200
    assert furthest <= 2 * 4 + 4 + (4 + 2)


def test_closing_early_leaves_no_thread_and_stops_reading(
    model: Any, png: Callable[..., Path], own_threads: Threads
) -> None:
    stream = detect_stream(model, items(*[png("a.png")] * 100), batch_size=2)
    next(stream)
    stream.close()
    assert own_threads() == []
    assert sum(model.batches) < 10


def test_an_interrupt_in_the_model_comes_through_and_leaves_no_thread(
    model: Any, png: Callable[..., Path], own_threads: Threads
) -> None:
    def interrupted(pixels: np.ndarray) -> Any:
        raise KeyboardInterrupt

    model.predict = interrupted
    with pytest.raises(KeyboardInterrupt):
        list(detect_stream(model, items(png("a.png"))))
    assert own_threads() == []


def test_an_error_of_the_source_comes_through(model: Any, png: Callable[..., Path], own_threads: Threads) -> None:
    def source() -> Iterator[InputItem]:
        yield from items(png("a.png"))
        raise OSError("the folder went away")

    with pytest.raises(OSError, match="went away"):
        list(detect_stream(model, source()))
    assert own_threads() == []


def test_images_above_the_pixel_limit_fail(model: Any, png: Callable[..., Path]) -> None:
    (result,) = detect_stream(model, items(png("a.png", size=(100, 100))), reading=Reading(max_pixels=5000))
    assert "100 x 100" in str(result.error)


def test_no_items_no_results(model: Any) -> None:
    assert list(detect_stream(model, [])) == []
    assert isinstance(Result(InputItem("a", "a", b"a")).regions, list)


def test_items_that_are_no_files_are_read_by_the_given_reader(model: Any) -> None:
    frames = {f"camera#{i}": Image.new("RGB", (6, 4), (50 * i,) * 3) for i in range(4)}
    results = list(detect_stream(model, items(*frames), read=lambda item: frames[item.path], batch_size=3))
    assert [r.score for r in results] == pytest.approx([50 * i / 255 for i in range(4)], abs=1e-6)
    assert {(r.width, r.height, r.error) for r in results} == {(6, 4, None)}
