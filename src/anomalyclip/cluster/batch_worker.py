"""The actor of a batch that judges itself on a cluster: it looks at pictures, compares pairs of blocks, gives verdicts.

Each of the three kinds of work ends in one file whose name depends on the work alone: whoever repeats it, after a loss,
writes the same file again.
"""

from __future__ import annotations

import io
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.cluster.manifest import Block
from anomalyclip.cluster.store import PAIRS, RECORDS, SEEN, VERDICTS
from anomalyclip.cluster.worker import Plan, Receipt, Worker
from anomalyclip.detect import Provenance, Result
from anomalyclip.judges.memory.fusion import Mixture, Scale
from anomalyclip.judges.mutual_batch import Task, run_task
from anomalyclip.mutual.passes import FirstPass, SecondPass
from anomalyclip.mutual.scoring import Batch, Verdicts, places_of
from anomalyclip.mutual.store import Shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.cluster.store import Store


@dataclass(frozen=True)
class BatchPlan(Plan):
    """A plan whose pictures judge each other. partners, aligned: see :func:`anomalyclip.mutual.scoring.score_batch`."""

    partners: int = 48
    aligned: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """What a run records of how its pictures are compared."""
        aligned = {} if self.aligned is None else {"aligned": self.aligned}
        return {"mutual": True, "partners": self.partners, **aligned}


@dataclass(frozen=True)
class Look:
    """To see the pictures of a block, and keep their records."""

    block: Block

    @property
    def index(self) -> tuple[str, int]:
        """Among all work."""
        return "look", self.block.index

    @property
    def file(self) -> str:
        """What was seen: digests, shapes, identities."""
        return f"{SEEN}/block-{self.block.index:08d}.json"


@dataclass(frozen=True)
class Pairs:
    """To compare pairs of two blocks. pictures: name of the file that lists them, see :class:`Listed`."""

    number: int
    task: Task
    pictures: str

    @property
    def index(self) -> tuple[str, int]:
        """Among all work."""
        return "pairs", self.number

    @property
    def file(self) -> str:
        """Distances, float32, little-endian."""
        return pairs_file(self.number)


@dataclass(frozen=True)
class Judge:
    """To write the rows of a block."""

    block: Block

    @property
    def index(self) -> tuple[str, int]:
        """Among all work."""
        return "judge", self.block.index


def pairs_file(number: int) -> str:
    """Where the distances of a task go."""
    return f"{PAIRS}/task-{number:08d}.f4"


@dataclass(frozen=True)
class Listed:
    """Pictures that were seen, as JSON says them. digests: in any order, copies as often as they came."""

    digests: list[str]
    shapes: dict[str, Shape]

    def packed(self) -> bytes:
        """As JSON."""
        shapes = {digest: asdict(shape) for digest, shape in self.shapes.items()}
        return json.dumps({"digests": self.digests, "shapes": shapes}).encode()

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Listed:
        """Of what JSON gives."""
        shapes = {
            digest: Shape(tuple(one["grid"]), one["width"], tuple(one["size"]), one["line"])
            for digest, one in told["shapes"].items()
        }
        return cls(list(told["digests"]), shapes)


class BatchWorker(Worker):
    """Takes :class:`Look`, :class:`Pairs` and :class:`Judge` where a worker takes blocks."""

    plan: BatchPlan

    def start(self) -> Provenance:
        """As of a worker; raises ConfigError too where the model gives nothing to compare."""
        told = super().start()
        self._first = FirstPass(self.detector, Path(self.plan.store.place, RECORDS))
        self._first.check(self.plan.geometry)
        self._listed: tuple[str, Listed] | None = None
        self.provenance = replace(told, settings={**told.settings, **self.plan.settings})
        return self.provenance

    def score(self, block: Any, *, careful: bool = False, retry: bool = False) -> Receipt:
        """Do a piece of work and write its file."""
        if isinstance(block, Look):
            return self._look(block, careful=careful)
        if isinstance(block, Pairs):
            return self._compare(block)
        self.detector, self.provenance = self._second
        return super().score(block.block, careful=careful, retry=retry)

    def _look(self, look: Look, *, careful: bool) -> Receipt:
        start, block, first = time.monotonic(), look.block, self._first
        self.detector, first.seen = first, Counter()
        numbers = range(len(block.sources))
        results = list(self._carefully(block, numbers) if careful else self._stream(block, numbers))
        digests = sorted(first.seen.elements())
        identities = [[number, one.identity.packed().hex()] for number, one in results if one.identity is not None]
        listed = Listed(digests, {digest: first.store.shapes[digest] for digest in set(digests)})
        told = {**json.loads(listed.packed()), "identities": identities}
        self.plan.store.write(look.file, json.dumps(told).encode())
        return _receipt(block.index, start)

    def _compare(self, pairs: Pairs) -> Receipt:
        start, store, plan = time.monotonic(), self._first.store, self.plan
        if self._listed is None or self._listed[0] != pairs.pictures:
            self._listed = pairs.pictures, Listed.read(plan.store.read_json(pairs.pictures))
            store.shapes.update(self._listed[1].shapes)
        names = self._listed[1].digests
        found = run_task(
            lambda picture: store.described(names[picture]),
            [store.shapes[name].patches for name in names],
            pairs.task,
            plan.partners,
            places_of(store, names, plan.aligned),
        )
        plan.store.write(pairs.file, found.astype("<f4").tobytes())
        return _receipt(pairs.number, start)

    @cached_property
    def _second(self) -> tuple[SecondPass, Provenance]:
        batch, verdicts = read_verdicts(self.plan.store, self._first)
        settings = {**self.provenance.settings, "batch": batch.record() | verdicts.facts}
        return SecondPass(self._first, batch, verdicts), replace(self.provenance, settings=settings)

    def _judged(self, result: Result) -> Result:
        return result  # p-values are of scores of single pictures


def write_verdicts(store: Store, batch: Batch, verdicts: Verdicts) -> None:
    """For the workers that write rows."""
    names = list(verdicts.scores)
    shapes = {name: verdicts.store.shapes[name] for name in names}
    told = {
        "listed": json.loads(Listed(list(batch.digests), shapes).packed()),
        "names": names,
        "facts": verdicts.facts,
        "mixture": asdict(verdicts.mixture),
    }
    arrays = {
        "scores": np.array([verdicts.scores[name] for name in names], np.float64),
        "distances": np.concatenate([verdicts.distances[name] for name in names]).astype(np.float32),
        "scale": np.array([verdicts.map_scale.typical, verdicts.map_scale.line], np.float64),
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8),
    }
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    store.write(VERDICTS, buffer.getvalue())


def read_verdicts(store: Store, first: FirstPass) -> tuple[Batch, Verdicts]:
    """What :func:`write_verdicts` wrote."""
    data = store.read(VERDICTS)
    assert data is not None, "verdicts are written before rows are asked for"
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        told = json.loads(arrays["told"].tobytes())
        scores, distances, scale = arrays["scores"], arrays["distances"], arrays["scale"]
    listed, names = Listed.read(told["listed"]), list(told["names"])
    first.store.shapes.update(listed.shapes)
    ends = np.cumsum([listed.shapes[name].patches for name in names])
    by_name: dict[str, NDArray[np.float32]] = dict(zip(names, np.split(distances, ends[:-1]), strict=True))
    verdicts = Verdicts(
        dict(zip(names, scores.tolist(), strict=True)),
        by_name,
        Scale(float(scale[0]), float(scale[1])),
        first.store,
        Mixture(**told["mixture"]),
        first.settings.sigma,
        told["facts"],
    )
    return Batch.of(listed.digests), verdicts


def digests_of(listed: Iterable[Listed]) -> Listed:
    """All of several."""
    every = Listed([], {})
    for one in listed:
        every.digests.extend(one.digests)
        every.shapes.update(one.shapes)
    return every


def _receipt(number: int, start: float) -> Receipt:
    return Receipt(number, rows=0, failed=0, anomalous=0, seconds=time.monotonic() - start, node="")
