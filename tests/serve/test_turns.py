"""Turns of requests: one of many pictures holds up the others by one at a time, and is not held up for ever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from anomalyclip.serve.turns import _PATIENCE, Turns


@dataclass
class Request:
    name: str
    since: float
    taken: float = 0.0


class Line:
    """One place, and a clock that moves by what each picture takes."""

    def __init__(self, number: int = 1) -> None:
        self.seconds, self.order, self.inside = 0.0, [], 0
        self.turns = Turns(number, lambda: self.seconds)

    async def picture(self, request: Request, seconds: float, expected: float = 0.0) -> None:
        async with self.turns.turn(request, expected):
            self.inside += 1
            self.order.append(request.name)
            await asyncio.sleep(0)
            self.seconds += seconds
            self.inside -= 1


def test_one_of_many_pictures_lets_others_go_first() -> None:
    async def run() -> None:
        line, many = Line(), Request("many", 0.0)
        pictures = [asyncio.ensure_future(line.picture(many, 0.5)) for _ in range(32)]
        others = [line.picture(Request(f"other {n}", 0.1), 0.01) for n in range(3)]
        await asyncio.gather(*pictures, *others)
        assert line.order == ["many", "other 0", "other 1", "other 2", *["many"] * 31]

    asyncio.run(run())


def test_but_not_for_ever() -> None:
    """Others come without end, each a second after the one before, and each takes one."""

    async def run() -> None:
        line, many = Line(), Request("many", 0.0)
        both = [asyncio.ensure_future(line.picture(many, 1.0)) for _ in range(2)]
        others = [asyncio.ensure_future(line.picture(Request(f"other {n}", 0.5 + n), 1.0)) for n in range(100)]
        await asyncio.gather(*both, *others)
        assert line.order.index("many") == 0
        assert line.order[1:].index("many") == _PATIENCE  # those that came in so many seconds

    asyncio.run(run())


def test_what_is_expected_counts_before_it_is_taken() -> None:
    async def run() -> None:
        line = Line()
        await asyncio.gather(
            line.picture(Request("first", 0.0), 0.0),
            line.picture(Request("large", 0.0), 0.0, expected=1.0),
            line.picture(Request("small", 1.0), 0.0, expected=0.15),
            line.picture(Request("late", 4.0), 0.0, expected=0.15),
        )
        assert line.order == ["first", "small", "large", "late"]

    asyncio.run(run())


def test_a_request_that_ends_gives_its_turn_back() -> None:
    """Whether it waits, is called at that moment, or is inside."""

    async def run() -> None:
        for steps in range(4):
            line = Line()
            inside = asyncio.ensure_future(line.picture(Request("inside", 0.0), 0.0))
            gone = asyncio.ensure_future(line.picture(Request("gone", 0.0), 0.0))
            for _ in range(steps):
                await asyncio.sleep(0)
            gone.cancel()
            with pytest.raises(asyncio.CancelledError):
                await gone
            await inside
            await asyncio.wait_for(line.picture(Request("next", 0.0), 0.0), 60)
            assert line.order[-1] == "next"
            assert line.turns._free == 1

    asyncio.run(run())


def test_so_many_at_once_and_no_more() -> None:
    async def run() -> None:
        line, most = Line(3), 0

        async def watched() -> None:
            nonlocal most
            async with line.turns.turn(Request("", 0.0)):
                line.inside += 1
                most = max(most, line.inside)
                await asyncio.sleep(0)
                line.inside -= 1

        await asyncio.gather(*[watched() for _ in range(20)])
        assert most == 3

    asyncio.run(run())
