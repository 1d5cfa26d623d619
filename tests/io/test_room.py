"""Room for large pictures: never more than there is, except for one alone; nobody waits for ever."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.io import read_image, room
from anomalyclip.io.room import Room


@pytest.mark.parametrize("sizes", [[3, 4, 5, 9, 2, 6], [30, 30, 1], [5] * 20])
def test_what_is_held_at_once_fits(sizes: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "SMALL", 0)
    place, guard, inside, most = Room(10), threading.Lock(), [0, 0], []

    def hold(size: int) -> None:
        with place.held(size):
            with guard:
                inside[0], inside[1] = inside[0] + size, inside[1] + 1
                most.append((inside[0] <= 10) or inside[1] == 1)
            with guard:
                inside[0], inside[1] = inside[0] - size, inside[1] - 1

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hold, sizes))
    assert most == [True] * len(sizes)
    assert place.taken == 0


def test_small_ones_are_not_counted_and_a_fault_gives_back() -> None:
    place = Room(1)
    with place.held(room.SMALL):
        assert place.taken == 0

    def fail() -> None:
        with place.held(room.SMALL + 1):
            assert place.taken == room.SMALL + 1
            raise ValueError("x")

    with pytest.raises(ValueError, match="x"):
        fail()
    assert place.taken == 0


def test_a_decoder_asks_for_what_its_header_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    held = room.decoding.held
    monkeypatch.setattr(room.decoding, "held", lambda size: asked.append(size) or held(size))
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    read_image(tmp_path / "a.png")
    assert len(asked) == 1
    assert asked[0] >= 3 * 300 * 200
    assert room.decoding.taken == 0
