"""Alternating timing: round by round every candidate once, so that a noisy neighbour hits all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: median and quartiles of the wall clock, the median of the process's CPU seconds, and each
    one's wall clock."""

    median: float
    q1: float
    q3: float
    cpu: float
    each: tuple[float, ...]

    @classmethod
    def of(cls, wall: list[float], cpu: list[float]) -> Timing:
        """From single measurements; at least one."""
        q1, median, q3 = statistics.quantiles(wall, n=4, method="inclusive") if len(wall) > 1 else [wall[0]] * 3
        return cls(median, q1, q3, statistics.median(cpu), tuple(wall))


def alternate(
    calls: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: int = 1,
    done: Callable[[], object] = int,
    around: Callable[[str], object] = str,
) -> dict[str, Timing]:
    """Time every call ``rounds`` times in turn, after ``warm_up`` rounds that do not count.

    Args:
        calls: what to time, by name.
        rounds: at least 1.
        warm_up: rounds whose times are thrown away.
        done: called after every round.
        around: called with a name right before and right after every call of it that counts.
    """
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(warm_up + rounds):
        for name, call in calls.items():
            if number < warm_up:
                call()
                continue
            around(name)
            start, start_cpu = time.perf_counter(), time.process_time()
            call()
            wall[name].append(time.perf_counter() - start)
            cpu[name].append(time.process_time() - start_cpu)
            around(name)
        done()
    return {name: Timing.of(wall[name], cpu[name]) for name in calls}
