"""The images of a run, identified by content; and the share of them that is held out."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.masks import Mask


@dataclass(frozen=True)
class Sample:
    """One training image.

    Attributes:
        image, mask: where they lie; ``mask`` is None where none is read: normal images, and those without pixel truth.
        label: 0 normal, 1 anomalous.
        known: whether the truth about every pixel is known (all zero without a mask file); False trains the global
            term alone.
        group: data set and class.
        image_sha256, mask_sha256: of the files' content, and of how the mask is read.
        published: how that is, see `anomalyclip.data.masks`.
    """

    image: Path
    mask: Mask | None
    label: int
    known: bool
    group: tuple[str, str]
    image_sha256: str
    mask_sha256: str | None
    published: bool = False

    @property
    def class_name(self) -> str:
        """What the image shows."""
        return self.group[1]


def digest_of(samples: Iterable[Sample]) -> str:
    """Identity of a list of samples: contents, labels and order; independent of where the files lie."""
    digest = hashlib.sha256()
    for sample in samples:
        digest.update(f"{sample.image_sha256} {sample.mask_sha256} {sample.label} {sample.known}\n".encode())
    return digest.hexdigest()


def class_digest(samples: Iterable[Sample]) -> str:
    """Identity of what the samples are called, for methods that read the names."""
    names = "\n".join(sample.class_name for sample in samples)
    return hashlib.sha256(names.encode("utf-8", "backslashreplace")).hexdigest()


def hold_out(samples: Sequence[Sample], share: float, seed: int) -> tuple[list[Sample], list[Sample]]:
    """Split into training and validation samples, ``share`` of every data set, class and label (0: none).

    Fractions carry over from group to group, so that many small groups still give their share in total.
    """
    groups: dict[object, list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        groups[sample.group, sample.label].append(index)
    random, carry = np.random.default_rng(seed), 0.0
    held: set[int] = set()
    for members in groups.values():
        wanted = share * len(members) + carry
        count = min(int(wanted + 0.5), len(members) - 1)  # every group keeps one to learn from
        carry = wanted - count
        held.update(random.permutation(members)[:count].tolist())
    training = [sample for index, sample in enumerate(samples) if index not in held]
    return training, [samples[index] for index in sorted(held)]


def describe(datasets: Sequence[Dataset]) -> str:
    """One line about what was found."""
    parts = [f"{d.name}: {len(d.items):,} images in {len(d.classes)} classes" for d in datasets]
    return "; ".join(parts)
