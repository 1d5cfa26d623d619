"""Rounds alternate, warm-up does not count, medians are medians."""

from __future__ import annotations

import time
from functools import partial

import numpy as np

from anomalyclip.bench.timing import Timing, alternate


def test_calls_take_turns_and_the_first_round_is_thrown_away() -> None:
    order: list[str] = []

    def slow_once() -> None:
        if "a" not in order:
            time.sleep(0.2)
        order.append("a")

    found = alternate({"a": slow_once, "b": lambda: order.append("b")}, rounds=3)
    assert order == ["a", "b"] * 4
    assert found["a"].q3 < 0.2


def test_median_and_quartiles() -> None:
    wall = [5.0, 1.0, 2.0, 4.0, 3.0]
    found = Timing.of(wall, [1.0, 3.0, 2.0, 9.0, 4.0])
    assert [found.q1, found.median, found.q3] == np.percentile(wall, [25, 50, 75]).tolist()
    assert found.cpu == 3.0
    assert Timing.of([2.0], [1.0]) == Timing(2.0, 2.0, 2.0, 1.0, (2.0,))


def test_what_stands_around_calls_is_not_timed() -> None:
    order: list[str] = []

    def around(name: str) -> None:
        time.sleep(0.02)
        order.append(f"around {name}")

    found = alternate({name: partial(order.append, name) for name in "ab"}, rounds=2, around=around)
    assert order == ["a", "b", *["around a", "a", "around a", "around b", "b", "around b"] * 2]
    assert len(found["a"].each) == 2
    assert max(found["a"].each) < 0.02


def test_sleep_costs_wall_clock_but_no_cpu() -> None:
    found = alternate({"sleep": lambda: time.sleep(0.05)}, rounds=2, warm_up=0)["sleep"]
    assert found.median >= 0.05 > found.cpu
