"""Threads that read ahead do not decide which scale of floats a run takes: the first picture in order does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile

from anomalyclip.data import check
from anomalyclip.errors import ImageReadError
from anomalyclip.evaluation import stream
from anomalyclip.io import read_image
from anomalyclip.io.reading import Reading
from anomalyclip.io.turns import Turns, my_turn
from anomalyclip.training import encoding

Read = Callable[[Any], Any]


def evaluation(read: Read, items: list[Path]) -> Iterable[Any]:
    with ThreadPoolExecutor(2) as pool:
        yield from stream._ahead(pool, read, items, 4)


def checking(read: Read, items: list[Path]) -> Iterable[Any]:
    with ThreadPoolExecutor(2) as pool:
        yield from (seen for _, seen in check._in_order(pool, read, iter(items), 2))


def training(read: Read, items: list[Path]) -> Iterable[Any]:
    samples: Any = [SimpleNamespace(image=item) for item in items]
    yield from (seen for _, seen in encoding.ahead(samples, lambda sample: read(sample.image)))


@pytest.fixture
def floats(tmp_path: Path) -> list[Path]:
    for number, top in enumerate((200.0, 1.0, 0.9, 180.0)):
        tifffile.imwrite(tmp_path / f"{number}.tif", np.array([[0, top]], np.float32))
    return sorted(tmp_path.iterdir())


def slow_first(reading: Reading, pictures: list[Path]) -> Read:
    """Reads as a run does; the first file comes last from its disk."""
    second = threading.Event()

    def read(path: Path) -> str:
        image = read_image(path)
        if path == pictures[0]:
            assert second.wait(60)
            time.sleep(0.2)  # the others would be through, did they not wait
        else:
            second.set()
        try:
            reading.agreed(image, path)
        except ImageReadError:
            return "refused"
        return "read"

    return read


@pytest.mark.parametrize("ahead", [evaluation, checking, training])
def test_the_first_in_order_decides_whoever_is_faster(
    ahead: Callable[[Read, list[Path]], Iterable[Any]], floats: list[Path]
) -> None:
    reading = Reading()
    assert list(ahead(slow_first(reading, floats), floats)) == ["read", "refused", "refused", "read"]
    assert reading.found() == {"float_white": 255.0}


def test_a_picture_that_is_refused_leaves_the_turn_to_the_next(floats: list[Path]) -> None:
    floats[0].write_bytes(b"no picture")
    reading = Reading()

    def read(path: Path) -> float:
        reading.image(path)
        return 1.0

    turns = Turns()
    with ThreadPoolExecutor(2) as pool:
        waiting = [pool.submit(turns.next(read), path) for path in floats]
    assert [one.exception() is None for one in waiting] == [False, True, True, False]


def test_outside_of_an_order_nobody_waits() -> None:
    my_turn()
    turns, ended = Turns(), []
    later = turns.next(lambda: ended.append("later"))
    first = turns.next(lambda: (my_turn(), ended.append("last")))
    later()
    first()
    assert ended == ["later", "last"]
