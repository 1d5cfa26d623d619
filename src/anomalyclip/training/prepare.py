"""Before the first step: identify every image, check or fill the cache, and set aside what cannot be used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomalyclip.clip.preprocessing import Preprocessing
from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.data.doubts import DOUBTFUL, Finding
from anomalyclip.data.masks import Reading as MaskReading
from anomalyclip.data.masks import mask_digest, read_marked
from anomalyclip.data.transforms import OPENAI, preprocess, preprocess_mask
from anomalyclip.encoders.base import Encoder
from anomalyclip.errors import ConfigError, ImageReadError, InputError
from anomalyclip.features.cache import FeatureCache
from anomalyclip.features.kept import local_rows
from anomalyclip.hub.digests import sha256
from anomalyclip.hub.progress import human_size
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.training.recipes import Level
from anomalyclip.training.reporter import Reporter
from anomalyclip.training.samples import Sample

_READERS = 4  # threads that decode images ahead of the encoder

R = TypeVar("R")


@dataclass
class Preparation:
    """Collects usable samples and one line per file that is left out or used in part."""

    reporter: Reporter
    samples: list[Sample] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def problem(self, line: str) -> None:
        """Keep and report a line."""
        self.problems.append(line)
        self.reporter.problem(line)


def identify(
    datasets: Sequence[Dataset],
    level: Level,
    masks: MaskStore,
    preparation: Preparation,
    reading: Reading | None = None,
) -> None:
    """Hash every image, prepare every mask; fills ``preparation.samples``.

    ``level`` "image" reads no masks; "pixel" leaves images without pixel truth out.

    Raises:
        InputError: nothing is left to train on.
    """
    reporter = preparation.reporter
    reporter.stage("checking files", sum(len(dataset.items) for dataset in datasets))
    for dataset in datasets:
        for line in dataset.problems:
            reporter.note(f"{dataset.name}: {line}")
        for item in dataset.items:
            try:
                sample = _sample(item, dataset.name, level, masks, preparation, reading or Reading())
            except ImageReadError as error:
                preparation.problem(f"left out: {error}")
            else:
                if level != "pixel" or sample.known:
                    preparation.samples.append(sample)
            reporter.advance(1)
    require_samples(preparation.samples, level)


def require_samples(samples: Sequence[Sample], level: Level) -> None:
    """Raises :class:`InputError` if there is nothing to learn from."""
    if samples:
        return
    if level == "pixel":
        raise InputError("no image has a mask, so --level pixel has nothing to learn; use --level image")
    raise InputError("no image can be read; nothing to train on (the lines above say why)")


def _sample(
    item: Item, dataset: str, level: Level, masks: MaskStore, preparation: Preparation, reading: Reading
) -> Sample:
    known = item.has_mask and level != "image"
    mask = item.mask if known else None
    sample = Sample(
        image=item.image,
        mask=mask,
        label=item.label,
        known=known,
        group=(dataset, item.class_name),
        image_sha256=reading.digest(_content_hash(item.image)),
        mask_sha256=mask_digest(mask, published=item.published) if mask is not None else None,
        published=item.published,
    )
    findings = masks.prepare(sample)
    if spoiled := [finding for finding in findings if finding.doubt.spoils]:
        then = "left out" if level == "pixel" else "only its image label is used"
        preparation.problem(f"{'; '.join(map(str, spoiled))}: {then}")
        return replace(sample, mask=None, mask_sha256=None, known=False)
    for finding in findings:
        if finding.doubt in DOUBTFUL:
            preparation.problem(f"{finding}: used all the same")
    return sample


def _content_hash(path: object) -> str:
    from pathlib import Path

    file = Path(str(path))
    if not file.is_file():  # a pipe would block
        raise ImageReadError(f"{printable(file)}: there is no such file; check the path")
    try:
        return sha256(file)
    except OSError as error:
        raise ImageReadError(f"{printable(file)}: cannot be read ({error.strerror or error})") from error


class MaskStore:
    """Prepared masks: from the cache, or read anew each time where there is none."""

    def __init__(self, cache: FeatureCache | None, size: int, max_pixels: int | None = None) -> None:
        self._cache, self._size, self._max_pixels = cache, size, max_pixels

    def prepare(self, sample: Sample) -> tuple[Finding, ...]:
        """Make :meth:`get` ready for this sample; gives what is doubtful about its mask.

        Raises:
            ImageReadError: the mask cannot be read.
        """
        if sample.mask is None or sample.mask_sha256 is None:
            return ()
        reading = self._read(sample)
        if self._cache is not None and not self._cache.has_mask(sample.mask_sha256):
            prepared = preprocess_mask(reading.marked, self._size) > 0
            self._cache.put_mask(sample.mask_sha256, prepared, all_black=not reading.marked.any())
        return reading.findings

    def get(self, sample: Sample) -> Tensor:
        """The mask as uint8 (S, S) of 0 and 1; zeros where there is no mask file."""
        if sample.mask is None or sample.mask_sha256 is None:
            return torch.zeros(self._size, self._size, dtype=torch.uint8)
        if self._cache is not None:
            return torch.from_numpy(self._cache.get_mask(sample.mask_sha256)[0])
        return torch.from_numpy(preprocess_mask(self._read(sample).marked, self._size)).to(torch.uint8)

    def _read(self, sample: Sample) -> MaskReading:
        assert sample.mask is not None
        return read_marked(
            sample.mask, sample.image, sample.label, published=sample.published, max_pixels=self._max_pixels
        )


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
    with ThreadPoolExecutor(_READERS) as pool:
        for sample in samples:
            waiting.append((sample, pool.submit(load, sample)))
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


def warn_about(samples: Sequence[Sample], level: Level, reporter: Reporter) -> None:
    """Say where the data cannot teach what a term of the loss is for.

    Raises:
        ConfigError: level "image" with a single label.
    """
    labels = {sample.label for sample in samples}
    known = sum(sample.known for sample in samples)
    if len(labels) == 1:
        only = "anomalous" if labels == {1} else "normal"
        if level == "image":
            raise ConfigError(
                f"every image is {only}: the image-level term alone would learn to say so always;"
                " add data that has both normal and anomalous images"
            )
        reporter.note(f"every image is {only}: image scores will mean little, use the maps (or --level pixel)")
    if level == "both" and known < len(samples):
        reporter.note(f"{len(samples) - known:,} of {len(samples):,} images have no pixel truth: global term only")
