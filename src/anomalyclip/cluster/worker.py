"""What runs in a Ray actor: one model, one block after another, each block's rows written as one file."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.cluster.listing import Source
from anomalyclip.cluster.manifest import Block
from anomalyclip.cluster.places import is_url
from anomalyclip.cluster.reading import count_source, read_source
from anomalyclip.cluster.rows import decode_rows, encode_rows
from anomalyclip.cluster.store import SUSPECTS, Store
from anomalyclip.detect import InputItem, Provenance, Result, Rules, detect_stream
from anomalyclip.detect.identity import Identity
from anomalyclip.detect.result import to_row
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.io.apart import Isolate, apart
from anomalyclip.io.frames import frame_path, split_frame, wanted
from anomalyclip.io.reading import Reading

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile

_BATCH = {"cpu": 1}  # larger batches do not help a CPU and cost memory
_BATCH_ELSEWHERE = 8


@dataclass(frozen=True)
class Plan:
    """What every worker of a run needs; travels to the nodes, so paths in it must mean the same everywhere.

    loading: keywords of `anomalyclip.opening.open_detector`. readers: threads that fetch and decode. profile: gives
    p-values; its thresholds are in `rules` already, and its reading in `reading`. frames: pictures taken of a file of
    several, None is all. isolate: what of them is decoded in processes of its own, see `anomalyclip.io.apart`.
    """

    store: Store
    loading: Mapping[str, Any]
    rules: Rules = field(default_factory=Rules)
    geometry: Geometry = field(default_factory=Geometry)
    areas: Areas = field(default_factory=Areas)
    profile: Profile | None = None
    batch_size: int | None = None
    readers: int = 2
    reading: Reading = field(default_factory=Reading)
    frames: int | None = None
    isolate: Isolate = "auto"

    def open_detector(self) -> Any:
        """Load the model; in the worker."""
        from anomalyclip.opening import open_detector

        return open_detector(**self.loading)

    def read(self, item: InputItem) -> Any:
        """An item's image; in the worker, from several threads."""
        return read_source(item.file, self.reading, item.frame)

    def pictures(self, source: Source) -> list[InputItem]:
        """The pictures of an input: itself, or those of a file of several; in the worker."""
        path, frame = (source.path, None) if is_url(source.path) else split_frame(source.path)
        name = Path(path).name
        if frame is not None:
            return [InputItem(source.path, name, b"", frame=frame, axis=self.reading.axis)]
        whole = InputItem(path, name, b"", source.problem)
        number = 1 if source.problem is not None else count_source(path, self.reading)
        if number == 1:
            return [whole]
        taken, told = wanted(number, self.frames)
        axis = self.reading.axis
        found = [InputItem(frame_path(path, n), name, b"", frame=n, axis=axis) for n in range(taken)]
        return found if told is None else [*found, replace(whole, problem=told)]


@dataclass(frozen=True)
class Receipt:
    """What a finished block came to. rows: inputs that have theirs. failed, anomalous: rows of pictures.

    seconds: of work. node: where.
    """

    block: int
    rows: int
    failed: int
    anomalous: int
    seconds: float
    node: str


class Worker:
    """The actor. `start` loads the model: apart from the constructor, so that its errors arrive as they were raised."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._apart = ExitStack()

    def start(self) -> Provenance:
        """Load the model; gives what every row of this worker records. Raises AnomalyClipError."""
        import cv2

        cv2.setNumThreads(1)
        plan = self.plan
        self._apart.enter_context(apart(plan.isolate))  # as long as the actor lives
        self.detector = plan.open_detector()
        self.detector.check(plan.geometry)
        thresholds = {"threshold": plan.rules.threshold, "pixel_threshold": plan.rules.pixel_threshold}
        extra = {**thresholds, "min_area": plan.rules.min_area, **plan.geometry.settings(), **plan.areas.settings()}
        extra |= plan.reading.recorded()
        if plan.profile is not None:
            from anomalyclip.calibration import provenance_of

            plan.profile.check_model(provenance_of(self.detector, plan.geometry, plan.areas))
            self.detector = plan.profile.judged(self.detector)
            extra |= {"profile": plan.profile.name, "profile_made": plan.profile.made}
        self.provenance = Provenance.of(self.detector, **extra)
        return self.provenance

    def score(self, block: Block, *, careful: bool = False, retry: bool = False) -> Receipt:
        """Score a block and write its file; the same block again gives the same file.

        careful: one image at a time, keeping a note of which, because the block has killed workers before.
        retry: keep the rows of the file that is there, but for those with an error or whose file was replaced.

        Raises OutputError.
        """
        start = time.monotonic()
        rows = self._kept(block) if retry else {}
        left = [number for number in range(len(block.sources)) if block.first + number not in rows]
        scored = self._carefully(block, left) if careful else self._stream(block, left)
        for number, result in scored:
            identity = result.identity.packed() if result.identity is not None else None
            told = {"input": block.first + number, "identity": identity}
            rows.setdefault(block.first + number, []).append({**to_row(result, self.provenance), **told})
        ordered = [row for number in sorted(rows) for row in rows[number]]
        self.plan.store.write(block.file, encode_rows(ordered, self.provenance))
        return receipt_of(block.index, ordered, time.monotonic() - start)

    def _stream(self, block: Block, numbers: Sequence[int], *, alone: bool = False) -> Iterator[tuple[int, Result]]:
        plan = self.plan
        usual = _BATCH.get(self.detector.device, _BATCH_ELSEWHERE)
        asked: deque[int] = deque()  # the input of every picture that is under way, in order

        def items() -> Iterator[InputItem]:
            for number in numbers:
                for item in plan.pictures(block.sources[number]):
                    asked.append(number)
                    yield item

        results = detect_stream(
            self.detector,
            items(),
            batch_size=1 if alone else plan.batch_size or usual,
            workers=1 if alone else plan.readers,
            rules=plan.rules,
            read=plan.read,
            geometry=plan.geometry,
            areas=plan.areas,
            identify=True,
        )
        with closing(results):
            for result in results:
                yield asked.popleft(), self._judged(result)

    def _judged(self, result: Result) -> Result:
        profile = self.plan.profile
        if profile is None or result.score is None:
            return result
        return replace(result, p_value=profile.p_value(result.score))

    def _carefully(self, block: Block, numbers: Sequence[int]) -> Iterator[tuple[int, Result]]:
        """A worker that dies leaves the note behind; the next one takes the noted image for the cause and passes it."""
        store, note = self.plan.store, f"{SUSPECTS}/block-{block.index:08d}.json"
        told = store.read_json(note) or {"fatal": [], "at": None}
        fatal = [*told["fatal"], *([] if told["at"] is None else [told["at"]])]
        for number in numbers:
            if number in fatal:
                why = "the worker died on this image each time; it may need more memory than there is"
                yield number, Result(_item(block, number), error=why)
                continue
            store.write(note, json.dumps({"fatal": fatal, "at": number}).encode())
            yield from self._stream(block, [number], alone=True)
        store.remove(note)

    def _kept(self, block: Block) -> dict[int, list[dict[str, Any]]]:
        """The rows of inputs all of whose pictures need no other."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in decode_rows(self.plan.store.read(block.file)):
            found.setdefault(row["input"], []).append(row)
        return {number: rows for number, rows in found.items() if all(is_kept(row, block) for row in rows)}


def is_kept(row: Mapping[str, Any], block: Block) -> bool:
    """Whether a row that is there needs no other: it has no error, and its file still holds what was scored."""
    if row["error"] is not None:
        return False
    packed, number = row["identity"], row["input"] - block.first
    return packed is None or Identity.unpacked(packed).still_of(split_frame(block.sources[number].path)[0])


def receipt_of(block: int, rows: Sequence[Mapping[str, Any]], seconds: float) -> Receipt:
    """Count a block's rows."""
    return Receipt(
        block,
        rows=len({row["input"] for row in rows}),
        failed=sum(row["error"] is not None for row in rows),
        anomalous=sum(row["decision"] == "anomalous" for row in rows),
        seconds=seconds,
        node=f"{os.uname().nodename}:{os.getpid()}",
    )


def _item(block: Block, number: int) -> InputItem:
    source = block.sources[number]
    return InputItem(source.path, Path(source.path).name, b"", source.problem)
