"""Micro-batches: how large, how long they wait, and that one image's failure or leaving touches no other."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest
import torch

from anomalyclip.serve.batching import Batcher


class Model:
    """Scores are the first pixel; passes wait for `go`; an image of ones fails."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go, self.entered = threading.Event(), threading.Semaphore(0)

    def __call__(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.entered.release()
        assert self.go.wait(30)
        if (pixels[:, 0, 0, 0] == 1).any():
            raise RuntimeError("ones")
        self.sizes.append(len(pixels))
        return pixels[:, 0, 0, 0], pixels[:, 0]


def _image(value: float) -> torch.Tensor:
    return torch.full((3, 2, 2), value)


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def batcher(model):
    made = Batcher(model, batch_size=3, batch_wait=0)
    yield made
    model.go.set()
    made.close()


def test_what_waits_shares_a_pass_and_everyone_gets_their_own(batcher, model) -> None:
    first = batcher.submit(_image(0.5))
    assert model.entered.acquire(timeout=30)  # the model is busy; the rest piles up
    rest = [batcher.submit(_image(value)) for value in (0.1, 0.2, 0.3, 0.4)]
    model.go.set()
    for future, value in zip([first, *rest], (0.5, 0.1, 0.2, 0.3, 0.4), strict=True):
        score, small_map = future.result(30)
        assert score == pytest.approx(value)
        assert small_map.shape == (2, 2)
        assert small_map.max() == pytest.approx(value)
    assert model.sizes == [1, 3, 1]


def test_an_image_waits_for_others(model) -> None:
    model.go.set()
    batcher = Batcher(model, batch_size=2, batch_wait=30)
    one = batcher.submit(_image(0.1))
    two = batcher.submit(_image(0.2))
    assert [round(f.result(20)[0], 3) for f in (one, two)] == [0.1, 0.2], "a full pass waits no longer"
    batcher.close()
    assert model.sizes == [2]


def test_a_failure_is_one_images_own(batcher, model) -> None:
    blocker = batcher.submit(_image(0.5))
    assert model.entered.acquire(timeout=30)
    futures = [batcher.submit(_image(value)) for value in (0.1, 1.0, 0.3)]
    model.go.set()
    assert blocker.result(30)[0] == 0.5
    assert futures[0].result(30)[0] == pytest.approx(0.1)
    with pytest.raises(RuntimeError, match="ones"):
        futures[1].result(30)
    assert futures[2].result(30)[0] == pytest.approx(0.3)


def test_who_left_is_not_computed(batcher, model) -> None:
    blocker = batcher.submit(_image(0.5))
    assert model.entered.acquire(timeout=30)
    gone, stays = batcher.submit(_image(0.1)), batcher.submit(_image(0.2))
    assert gone.cancel()
    model.go.set()
    assert stays.result(30)[0] == pytest.approx(0.2)
    with pytest.raises(CancelledError):
        gone.result(30)
    assert blocker.done()
    assert model.sizes == [1, 1]


def test_close_finishes_what_was_submitted(model) -> None:
    model.go.set()
    batcher = Batcher(model, batch_size=2, batch_wait=0)
    futures = [batcher.submit(_image(0.25)) for _ in range(7)]
    batcher.close()
    assert all(future.done() for future in futures)
    assert not batcher.alive
    assert batcher.seconds_per_image > 0


def test_images_of_another_judge_have_passes_of_their_own(batcher, model) -> None:
    sizes = []

    def half(pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(pixels))
        return pixels[:, 0, 0, 0] / 2, pixels[:, 0]

    first = batcher.submit(_image(0.5))
    assert model.entered.acquire(timeout=30)
    mixed = [batcher.submit(_image(0.2)), batcher.submit(_image(0.4), half), batcher.submit(_image(0.3))]
    model.go.set()
    assert [future.result(30)[0] for future in [first, *mixed]] == pytest.approx([0.5, 0.2, 0.2, 0.3])
    assert (model.sizes, sizes) == ([1, 2], [1])
