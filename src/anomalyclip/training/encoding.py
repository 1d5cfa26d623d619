"""Images that can be used -> their features in the cache, or their pixels where there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.data.transforms import OPENAI, preprocess
from anomalyclip.encoders.base import Encoder
from anomalyclip.errors import ImageReadError
from anomalyclip.features.cache import FeatureCache
from anomalyclip.features.kept import local_rows
from anomalyclip.hub.progress import human_size
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.turns import Turns, readers
from anomalyclip.training.prepare import Preparation
from anomalyclip.training.samples import Sample

_READERS = 4  # threads that decode images ahead of the encoder

R = TypeVar("R")


def fill(
    cache: FeatureCache,
    encoder: Encoder,
    preparation: Preparation,
    reading: Reading | None = None,
) -> None:
    """Encode what the cache lacks; samples whose image cannot be read leave ``preparation.samples``.

    Raises:
        ConfigError: the disk is too small; OutputError: it filled up.
    """
    cache.sweep()
    reporter = preparation.reporter
    first = {sample.image_sha256: sample for sample in reversed(preparation.samples)}
    reporter.stage("verifying cache", len(first))
    missing = []
    for sha, sample in reversed(first.items()):
        if not cache.has(sha):
            missing.append(sample)
        reporter.advance(1)
    needed, free = cache.check_room(len(missing))
    reporter.note(
        f"feature cache {printable(cache.folder)}: {len(first) - len(missing):,} of {len(first):,} images there;"
        f" {human_size(needed)} to write, {human_size(free)} free"
    )
    if not missing:
        return
    reporter.stage("encoding", len(first), len(first) - len(missing))
    bad = _encode_into(cache, encoder, missing, preparation, reading or Reading())
    preparation.samples[:] = [sample for sample in preparation.samples if sample.image_sha256 not in bad]


def check_readable(preparation: Preparation, reading: Reading | None = None) -> None:
    """Without a cache: decode every image once, so that no epoch meets an unreadable one."""
    reporter, how = preparation.reporter, reading or Reading()
    reporter.stage("checking images", len(preparation.samples))
    good = []
    for sample, outcome in ahead(preparation.samples, lambda sample: how.image(sample.image).size):
        if isinstance(outcome, ImageReadError):
            preparation.problem(f"left out: {outcome}")
        else:
            good.append(sample)
        reporter.advance(1)
    preparation.samples[:] = good


def load_pixels(
    sample: Sample, size: int, reading: Reading | None = None, how: Preprocessing = OPENAI
) -> NDArray[np.float32]:
    """The preprocessed image (3, S, S)."""
    return preprocess((reading or Reading()).image(sample.image), size, how)


def _encode_into(
    cache: FeatureCache,
    encoder: Encoder,
    missing: Sequence[Sample],
    preparation: Preparation,
    reading: Reading,
) -> set[str]:
    """Encode and keep ``missing``; returns the hashes of images that cannot be read."""
    bad: set[str] = set()
    batch: list[tuple[str, NDArray[Any]]] = []
    room = 1 if encoder.device == "cpu" else 8

    def flush() -> None:
        if not batch:
            return
        found = encoder.encode(np.stack([pixels for _, pixels in batch]), cache.key.request)
        for (sha, _), image, local in zip(batch, found.image, local_rows(found, cache.key), strict=True):
            cache.put(sha, image, local)
        preparation.reporter.advance(len(batch))
        batch.clear()

    size = (cache.key.image_size, cache.key.image_size)
    for sample, outcome in ahead(missing, lambda sample: encoder.preprocess(reading.image(sample.image), size)):
        if isinstance(outcome, ImageReadError):
            bad.add(sample.image_sha256)
            preparation.problem(f"left out: {outcome}")
            preparation.reporter.advance(1)
            continue
        batch.append((sample.image_sha256, outcome))
        if len(batch) == room:
            flush()
    flush()
    return bad


def ahead(samples: Iterable[Sample], load: Callable[[Sample], R]) -> Iterator[tuple[Sample, R | ImageReadError]]:
    """Yield each sample with what ``load`` gives, or the error it raised; a few threads work ahead, memory bounded."""
    waiting: deque[tuple[Sample, Future[R]]] = deque()
    turns = Turns()
    with readers(_READERS) as pool:
        for sample in samples:
            waiting.append((sample, pool.submit(turns.next(load), sample)))
            if len(waiting) > 2 * _READERS:
                oldest = waiting.popleft()
                yield _outcome(oldest)
        while waiting:
            oldest = waiting.popleft()
            yield _outcome(oldest)


def _outcome(pair: tuple[Sample, Future[Any]]) -> tuple[Sample, Any]:
    sample, future = pair
    try:
        return sample, future.result()
    except ImageReadError as error:
        return sample, error
