"""Simulate a cluster run image by image, with nodes that die, and compare it with the formula of docs/scale.md.

    python benchmarks/scale_simulation.py                  # a table of five situations
    python benchmarks/scale_simulation.py --json FILE

The formula tells how long 10^8 images take. It rests on three laws: a pipeline is as fast as its slowest stage, a
shared server's capacity is an upper bound, and what deaths at random cost follows from their rate. It leaves out what
happens between them: queues that form, blocks that end together, readers that wait. The simulation has all that.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from itertools import count
from pathlib import Path

IN_HAND = 2  # blocks per worker, as in anomalyclip.cluster.pool


@dataclass(frozen=True)
class Cluster:
    """Seconds unless said otherwise.

    workers, readers: readers are threads per worker. block: images. store_slots: requests that the object store answers
    at once, store: of one. decode, model: per image. write: per block. dispatch: of the driver, per block. lifetime:
    mean, of a worker. restart: from a death until its successor has loaded the model.
    """

    workers: int
    model: float
    block: int = 500
    readers: int = 2
    ahead: int = 2
    store: float = 0.03
    store_slots: float = math.inf
    decode: float = 0.01
    write: float = 0.2
    dispatch: float = 0.002
    lifetime: float = math.inf
    restart: float = 60.0


def throughput(cluster: Cluster) -> dict[str, float]:
    """Images per second that each bottleneck allows; the least of them is the forecast (docs/scale.md)."""
    c = cluster
    stage = min(1 / c.model, c.readers / (c.store + c.decode))
    alone = c.block / stage + c.store + c.decode + c.model + c.write
    deadly = math.isfinite(c.lifetime)
    spent = math.expm1(alone / c.lifetime) * (c.lifetime + c.restart) if deadly else alone
    return {
        "workers": c.workers * c.block / spent,
        "object store": c.store_slots / c.store,
        "driver": c.block / c.dispatch,
    }


def forecast(cluster: Cluster) -> float:
    """Images per second."""
    return min(throughput(cluster).values())


@dataclass
class _Clock:
    """Events in the order of their time."""

    now: float = 0.0
    _events: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: count[int] = field(default_factory=count)

    def after(self, delay: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.now + delay, next(self._numbers), act))

    def step(self) -> bool:
        if not self._events:
            return False
        self.now, _, act = heapq.heappop(self._events)
        act()
        return True


@dataclass
class _Server:
    """So many at once, the others wait in line."""

    clock: _Clock
    slots: float
    service: float
    busy: int = 0
    line: deque[Callable[[], None]] = field(default_factory=deque)

    def ask(self, then: Callable[[], None]) -> None:
        if self.busy < self.slots:
            self._serve(then)
        else:
            self.line.append(then)

    def _serve(self, then: Callable[[], None]) -> None:
        self.busy += 1

        def done() -> None:
            self.busy -= 1
            if self.line:
                self._serve(self.line.popleft())
            then()

        self.clock.after(self.service, done)


class _Worker:
    """Readers fetch and decode up to `ahead` images before the model, which takes one after the other.

    stock: blocks in hand, the one under work included. life: goes up with every death, so that what was under way then
    comes to nothing.
    """

    def __init__(self, run: Simulation) -> None:
        self.run, self.life, self.stock, self.working = run, 0, 0, False
        self.born()

    def born(self) -> None:
        c = self.run.cluster
        if math.isfinite(c.lifetime):
            self.run.clock.after(self.run.random.expovariate(1 / c.lifetime), self._if(self.life, self.die))
        for _ in range(IN_HAND):
            self.ask()

    def die(self) -> None:
        self.life += 1
        self.run.left += self.stock
        self.stock, self.working = 0, False
        self.run.clock.after(self.run.cluster.restart, self._if(self.life, self.born))

    def ask(self) -> None:
        self.run.driver.ask(self._if(self.life, self.given))

    def given(self) -> None:
        if self.run.left:
            self.run.left -= 1
            self.stock += 1
            self.begin()

    def begin(self) -> None:
        if self.working or not self.stock:
            return
        self.working = True
        self.unread = self.unscored = self.run.cluster.block
        self.ready = self.reading = 0
        self.scoring = False
        self.read()

    def read(self) -> None:
        c = self.run.cluster
        while self.unread and self.reading < c.readers and self.reading + self.ready < c.ahead + c.readers:
            self.unread -= 1
            self.reading += 1
            self.run.store.ask(self._if(self.life, self.fetched))

    def fetched(self) -> None:
        self.run.clock.after(self.run.cluster.decode, self._if(self.life, self.decoded))

    def decoded(self) -> None:
        self.reading -= 1
        self.ready += 1
        self.read()
        self.score()

    def score(self) -> None:
        if self.ready and not self.scoring:
            self.ready -= 1
            self.scoring = True
            self.run.clock.after(self.run.cluster.model, self._if(self.life, self.scored))
            self.read()

    def scored(self) -> None:
        self.scoring = False
        self.unscored -= 1
        if self.unscored:
            self.score()
        else:
            self.run.clock.after(self.run.cluster.write, self._if(self.life, self.written))

    def written(self) -> None:
        self.working = False
        self.stock -= 1
        self.run.finished()
        self.ask()
        self.begin()

    def _if(self, life: int, act: Callable[[], None]) -> Callable[[], None]:
        return lambda: act() if self.life == life else None


class Simulation:
    """`blocks` blocks on a cluster; `rate` is images per second while all workers have work."""

    def __init__(self, cluster: Cluster, blocks: int, seed: int = 0) -> None:
        self.cluster, self.left, self.random = cluster, blocks, random.Random(seed)
        self.clock = _Clock()
        self.store = _Server(self.clock, cluster.store_slots, cluster.store)
        self.driver = _Server(self.clock, 1, cluster.dispatch)
        self.done: list[float] = []
        workers = [_Worker(self) for _ in range(cluster.workers)]
        while len(self.done) < blocks and self.clock.step():
            pass
        assert len(self.done) == blocks, f"{len(workers)} workers left blocks undone"

    def finished(self) -> None:
        self.done.append(self.clock.now)

    @property
    def rate(self) -> float:
        """Without the first and the last tenth, where not all work."""
        low, high = len(self.done) // 10, len(self.done) * 9 // 10
        return (high - low) * self.cluster.block / (self.done[high] - self.done[low])


_BASE = Cluster(workers=16, model=0.1, block=100)
#: What bounds each is in its name.
SITUATIONS = {
    "model": _BASE,
    "reading": replace(_BASE, model=0.01),
    "object store": replace(_BASE, model=0.01, workers=64, store_slots=16.0),
    "driver": replace(_BASE, model=0.002, store=0.002, decode=0.001, block=10, dispatch=0.02),
    "deaths": replace(_BASE, lifetime=120.0, restart=60.0),
}


def compare(cluster: Cluster, blocks: int, seed: int = 0) -> dict[str, float]:
    """Images per second by the formula and by the simulation."""
    expected, found = forecast(cluster), Simulation(cluster, blocks, seed).rate
    return {"formula": expected, "simulation": found, "difference": found / expected - 1}


def main() -> None:
    """Print a table, and write it with the parameters where asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=2000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = {name: compare(cluster, options.blocks) for name, cluster in SITUATIONS.items()}
    print(f"{'bounded by':14} {'formula':>10} {'simulation':>11} {'difference':>11}   images per second")
    for name, row in rows.items():
        print(f"{name:14} {row['formula']:10.2f} {row['simulation']:11.2f} {row['difference']:+11.1%}")
    if options.json:
        record = {name: {**row, "parameters": asdict(SITUATIONS[name])} for name, row in rows.items()}
        options.json.write_text(json.dumps(record, indent=2, default=str) + "\n")


if __name__ == "__main__":
    main()
