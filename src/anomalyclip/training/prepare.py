"""Before the first step: identify every image, check or fill the cache, and set aside what cannot be used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor

from anomalyclip.data.dataset import Dataset, Item
from anomalyclip.data.doubts import DOUBTFUL, Finding
from anomalyclip.data.masks import Reading as MaskReading
from anomalyclip.data.masks import mask_digest, read_marked
from anomalyclip.data.pictures import pictures_of, with_own_mask
from anomalyclip.data.transforms import preprocess_mask
from anomalyclip.errors import ConfigError, ImageReadError, InputError
from anomalyclip.features.cache import FeatureCache
from anomalyclip.hub.digests import sha256
from anomalyclip.io.frames import frame_path, split_frame
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.training.recipes import Level
from anomalyclip.training.reporter import Reporter
from anomalyclip.training.samples import Sample


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
    reading = reading or Reading()
    reporter.stage("checking files", sum(len(dataset.items) for dataset in datasets))
    for dataset in datasets:
        for line in dataset.problems:
            reporter.note(f"{dataset.name}: {line}")
        for item in dataset.items:
            for picture in pictures_of([item], None, reading):
                _add(picture, dataset.name, level, masks, preparation, reading)
            reporter.advance(1)
    require_samples(preparation.samples, level)


def _add(item: Item, dataset: str, level: Level, masks: MaskStore, preparation: Preparation, reading: Reading) -> None:
    try:
        sample = _sample(item, dataset, level, masks, preparation, reading)
    except ImageReadError as error:
        preparation.problem(f"left out: {error}")
        return
    if level != "pixel" or sample.known:
        preparation.samples.append(sample)


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
    named, frame = reading.digest(_content_hash(item.image), item.frame), item.frame
    try:
        item = with_own_mask(item)
    except InputError as error:
        preparation.problem(f"{str(error).partition(';')[0]}: only its image label is used")
        item = replace(item, mask=None, has_mask=False)
    if frame is not None:
        item = replace(item, image=Path(frame_path(split_frame(item.image)[0], frame)))
    known = item.has_mask and level != "image"
    mask = item.mask if known else None
    sample = Sample(
        image=item.image,
        mask=mask,
        label=item.label,
        known=known,
        group=(dataset, item.class_name),
        image_sha256=named,
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


def _content_hash(file: Path) -> str:
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
