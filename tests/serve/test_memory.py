"""Memory for pictures: never more than there is, first come, first served, given back however it ends."""

from __future__ import annotations

import asyncio
import random
import re
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import Survey
from anomalyclip.serve import admission
from anomalyclip.serve.config import Limits
from anomalyclip.serve.memory import Ledger, cost_of, rooms_for
from anomalyclip.serve.refusals import Refused


def test_no_set_of_pictures_takes_more_than_there_is() -> None:
    async def run() -> None:
        ledger, rng, most, done = Ledger(1000), random.Random(4), 0, 0

        async def picture(size: int) -> None:
            nonlocal most, done
            async with ledger.hold(size):
                most = max(most, ledger.held)
                await asyncio.sleep(rng.uniform(0, 0.003))
            done += 1

        tasks = [
            asyncio.ensure_future(picture(rng.choice((rng.randint(1, 62), rng.randint(1, 875))))) for _ in range(200)
        ]
        await asyncio.sleep(0.01)
        gone = [task for task in rng.sample(tasks, 60) if task.cancel()]
        await asyncio.gather(*tasks, return_exceptions=True)
        assert 500 < most <= 1000
        assert ledger.held == 0
        assert done == 200 - len(gone) > 100

    asyncio.run(run())


def test_first_come_first_served() -> None:
    async def run() -> None:
        ledger, order = Ledger(1000), []

        async def picture(name: str, size: int) -> None:
            async with ledger.hold(size):
                order.append(name)
                for _ in range(3):
                    await asyncio.sleep(0)

        await asyncio.gather(picture("a", 600), picture("larger", 800), picture("b", 100))
        assert order == ["a", "larger", "b"]  # the smaller one does not starve the larger one

    asyncio.run(run())


def test_small_pictures_do_not_wait_for_large_ones_and_do_not_starve_them() -> None:
    async def run() -> None:
        ledger = Ledger(1000)
        release, inside = asyncio.Event(), asyncio.Queue()

        async def picture(name: str, size: int) -> None:
            async with ledger.hold(size):
                inside.put_nowait(name)
                await release.wait()

        tasks = [asyncio.ensure_future(picture(name, size)) for name, size in [("large", 800), ("next", 875)]]
        tasks += [asyncio.ensure_future(picture(f"small {i}", 60)) for i in range(4)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert [inside.get_nowait() for _ in range(inside.qsize())] == ["large", "small 0", "small 1"]  # 125 are kept
        release.set()
        await asyncio.gather(*tasks)
        assert ledger.held == ledger._held_small == 0

    asyncio.run(run())


def test_what_never_fits_is_refused_at_once() -> None:
    async def run() -> None:
        with pytest.raises(ImageReadError, match="takes 2 MB, the server has 1 MB for pictures"):
            async with Ledger(1_142_857).hold(2_000_000):
                pass

    asyncio.run(run())


def test_bytes_and_not_pixels() -> None:
    """The legal 49 megapixels of float64 RGB cost what they are; so many pixels of a JPEG far less."""
    deep = cost_of(Survey(1, decoded=49_000_000 * 35, pixels=49_000_000), 1000)
    flat = cost_of(Survey(1, decoded=49_000_000 * 4, pixels=49_000_000), 1000)
    assert deep > 2 * flat > 10**9


def test_the_shipped_container_has_room_for_one_such_picture_and_not_for_two() -> None:
    rooms = rooms_for(Limits(memory=4 << 30), processes=3)
    room = rooms.pictures
    deep = cost_of(Survey(1, decoded=49_000_000 * 35, pixels=49_000_000), 1000)
    assert room < 2 * deep
    assert room < (4 << 30) - rooms.profiles - Limits().bytes_in_flight - Limits().answer_bytes


def test_what_lies_on_the_containers_tmpfs_is_deducted() -> None:
    """It is charged to the container's limit: bodies alone lie there, whose bytes are deducted whole, and they fit."""
    compose = (Path(__file__).parents[2] / "deploy/compose.yaml").read_text("utf-8")
    (size,) = re.findall(r"^ +- /tmp:size=(\d+)m\b", compose, re.MULTILINE)
    bodies = Limits().bytes_in_flight
    assert bodies <= int(size) << 20
    less = rooms_for(Limits(memory=4 << 30), processes=3).pictures
    more = rooms_for(Limits(memory=(4 << 30) + bodies, max_bytes=2 * Limits().max_bytes), processes=3).pictures
    assert more <= less + (bodies >> 3), "as many more bytes of bodies, as many less for pictures"


def test_fewer_are_let_in_where_they_would_wait(monkeypatch) -> None:
    """Those inside take 4 s each at first, where 2 are promised; one that is alone is always let in."""
    clock = [0.0]
    monkeypatch.setattr(admission.time, "monotonic", lambda: clock[0])
    door = admission.Admission(Limits(queue=64, max_wait=2.0))

    def crowd(seconds: float) -> int:
        with ExitStack() as inside:
            count = 0
            with suppress(Refused):
                while True:
                    inside.enter_context(door.accepted(1))
                    count += 1
            clock[0] += seconds
        return count

    assert [crowd(4.0) for _ in range(3)] == [8, 2, 2]
    with door.accepted(32):
        clock[0] += 0.1
    assert [crowd(0.1) for _ in range(3)] == [2, 3, 5]
