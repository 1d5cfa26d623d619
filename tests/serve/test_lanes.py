"""What is much work does not keep what is little waiting: three lanes, and those who step aside for others."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace

import pytest
from PIL import Image

from anomalyclip.io.isolation import NotQuick, Survey, Ticket
from anomalyclip.io.reading import Reading
from anomalyclip.serve import admission, decoding, uploads
from anomalyclip.serve.admission import Admission
from anomalyclip.serve.config import Limits, ServeConfig
from anomalyclip.serve.decoding import Decoding
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.uploads import Upload


class FakeDecoders:
    """Files that begin with b"much" take until `go` is set, where they are not given up before."""

    go: threading.Event

    def __init__(self, number: int, *, seconds: float, clock: float, nice: int = 0) -> None:
        self.nice = nice

    def survey(self, data: bytes, *, quick: float | None, **options: object) -> Survey:
        self._work(data, quick)
        return Survey(1, decoded=100, pixels=100)

    def read(self, data: bytes, *, quick: float | None, **options: object) -> Image.Image:
        self._work(data, quick)
        return Image.new("RGB", (10, 10))

    def _work(self, data: bytes, quick: float | None) -> None:
        if data.startswith(b"much"):
            if quick is not None:
                raise NotQuick
            assert self.nice > 0
            assert self.go.wait(60)

    def close(self) -> None:
        pass


@pytest.fixture
def lanes(monkeypatch) -> Iterator[Decoding]:
    FakeDecoders.go = threading.Event()
    monkeypatch.setattr(decoding, "Decoders", FakeDecoders)
    made = Decoding(ServeConfig(workers=1))
    yield made
    FakeDecoders.go.set()
    made.close()


def upload(data: bytes, cost: int = 100) -> Upload:
    return Upload("name", lambda: data, cost=cost, size=len(data))


async def read(lanes: Decoding, door: Admission, one: Upload) -> str:
    with door.accepted(1) as stay, lanes.ledger.share(one.cost) as share:
        size = await lanes.with_picture(Ticket(), Reading(), one, stay, share, lambda read: read(one).size)
    return f"{one.read().decode()} {size[0]}"


@pytest.mark.parametrize("hostile", [upload(b"much"), upload(b"much", cost=1 << 30)], ids=["work", "memory"])
def test_others_are_read_while_one_takes_long(lanes, hostile) -> None:
    """With one reader and one place: where they shared anything, this would wait for ever."""

    async def run() -> None:
        door = Admission(Limits(queue=1, max_files=1, max_requests=1))
        slow = asyncio.ensure_future(read(lanes, door, hostile))
        while door.aside == 0:
            await asyncio.sleep(0.001)
        assert [await read(lanes, door, upload(b"little")) for _ in range(3)] == ["little 10"] * 3
        with door.request():
            assert not slow.done()
        FakeDecoders.go.set()
        assert await slow == "much 10"
        assert door.aside == door.images == 0

    asyncio.run(run())


def test_a_header_that_is_much_work_is_looked_at_aside(lanes) -> None:
    async def run() -> None:
        door = Admission(Limits())

        async def pictures(data: bytes) -> int:
            with door.accepted(1) as stay:
                return len(await lanes.pictures(Ticket(), Reading(), [upload(data)], 4, None, stay))

        slow = asyncio.ensure_future(pictures(b"much"))
        while door.aside == 0:
            await asyncio.sleep(0.001)
        assert await pictures(b"little") == 1
        FakeDecoders.go.set()
        assert await slow == 1

    asyncio.run(run())


def test_what_waits_for_much_work_holds_no_memory(lanes) -> None:
    """Ten pictures of 60 MB each wait or are read aside; but for that of the one that is read, all memory is free."""

    async def run() -> None:
        door, cost = Admission(Limits()), 60 << 20
        slow = [asyncio.ensure_future(read(lanes, door, upload(b"much", cost=cost))) for _ in range(10)]
        while door.aside < 10:
            await asyncio.sleep(0.001)
        assert lanes.ledger.held == cost
        async with lanes.ledger.hold(
            lanes.ledger.most - cost
        ):  # nor has that one a part in what is kept for small ones
            assert await read(lanes, door, upload(b"little")) == "little 10"
        FakeDecoders.go.set()
        await asyncio.gather(*slow)
        assert lanes.ledger.held == 0

    asyncio.run(run())


def test_of_a_costly_file_no_further_picture_is_tried_quickly(lanes, monkeypatch) -> None:
    quick: list[float | None] = []
    work = FakeDecoders._work

    def counted(self: FakeDecoders, data: bytes, limit: float | None) -> None:
        quick.append(limit)
        work(self, data, limit)

    monkeypatch.setattr(FakeDecoders, "_work", counted)

    async def run() -> None:
        FakeDecoders.go.set()
        one = upload(b"much")
        with Admission(Limits()).accepted(4) as stay:
            for _ in range(4):
                with lanes.ledger.share(one.cost) as share:
                    await lanes.with_picture(Ticket(), Reading(), one, stay, share, lambda read: read(one))
        assert [limit is None for limit in quick] == [False, True, True, True, True]

    asyncio.run(run())


def test_two_pictures_of_one_file_are_not_read_from_each_others_place() -> None:
    """The file is one, with one place in it."""

    others: list[Future[bytes]] = []

    class File(io.BytesIO):
        def seek(self, *place: int) -> int:
            found = super().seek(*place)
            if not others:  # another thread reads it now, if it may
                others.append(pool.submit(read))
                wait(others, timeout=0.2)
            return found

    read = uploads._Spooled(File(b"content"))
    with ThreadPoolExecutor(1) as pool:
        assert read() == b"content"
        assert others[0].result() == b"content"


def test_so_many_wait_for_much_work_and_no_more(lanes) -> None:
    async def run() -> None:
        door = Admission(Limits())
        slow = [asyncio.ensure_future(read(lanes, door, upload(b"much"))) for _ in range(admission._MOST_ASIDE)]
        while door.aside < admission._MOST_ASIDE:
            await asyncio.sleep(0.001)
        with pytest.raises(Refused, match="much work") as refused:
            await read(lanes, door, upload(b"much"))
        assert refused.value.status == 429
        assert await read(lanes, door, upload(b"little")) == "little 10"
        FakeDecoders.go.set()
        assert len(await asyncio.gather(*slow)) == admission._MOST_ASIDE
        assert door.aside == door.images == 0

    asyncio.run(run())


def test_time_aside_says_nothing_of_the_wait_of_others(lanes) -> None:
    door = Admission(Limits(max_wait=1e-9))
    before = door.allowed
    with door.accepted(1) as stay, stay.aside():
        pass
    assert door.allowed == before
    with door.accepted(1):
        time.sleep(0.02)
    assert door.allowed < before


def test_large_bodies_leave_room_for_small_ones() -> None:
    door = Admission(replace(Limits(), max_bytes=4 << 20))  # 16 MB of bodies in all
    for _ in range(7):
        door.receive(2 << 20, whole=2 << 20)
    with pytest.raises(Refused, match="fill its memory"):
        door.receive(1, whole=(2 << 20) + 1)
    door.receive(1 << 20, whole=1 << 20)


def test_those_who_are_turned_away_come_back_one_after_another(monkeypatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(admission.time, "monotonic", lambda: clock[0])
    door = Admission(Limits(max_requests=1), pace=lambda: 0.5)

    def told() -> int:
        with pytest.raises(Refused) as refused, door.request():
            pass
        return int(refused.value.headers["retry-after"])

    with door.request():
        assert [told() for _ in range(5)] == [1, 1, 2, 2, 3]  # so many times half a second
        for _ in range(100):
            told()
        assert told() == 15  # nobody is sent away for longer
        clock[0] += 60.0
        assert told() == 1
