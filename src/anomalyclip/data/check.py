"""Decode everything once and say what is wrong, before hours of work depend on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

from anomalyclip.data.dataset import ANOMALOUS, NORMAL, Dataset, Item, levels_of
from anomalyclip.data.samples import same_area
from anomalyclip.errors import ImageReadError
from anomalyclip.io.names import printable


@dataclass
class ClassReport:
    """Counts of one class; unreadable images are in none of the others."""

    normal: int = 0
    anomalous: int = 0
    masks: int = 0
    unreadable: int = 0
    levels: frozenset[str] = frozenset()


@dataclass
class Report:
    """What `check_dataset` found. problems: what the reader noted, then what decoding showed, one line each."""

    classes: dict[str, ClassReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def total(self) -> ClassReport:
        """All classes together."""
        rows = self.classes.values()
        levels = frozenset(level for row in rows for level in row.levels)
        names = ("normal", "anomalous", "masks", "unreadable")
        sums: dict[str, int] = {name: sum(getattr(row, name) for row in rows) for name in names}
        return ClassReport(**sums, levels=levels)


def check_dataset(dataset: Dataset, advance: Callable[[], object] = lambda: None, workers: int = 2) -> Report:
    """Decode every image and mask. `advance` is called after each item, in the calling thread.

    Found: unreadable images and masks, all-black masks, masks of another size than the image, classes that decoding
    leaves without normals or anomalies, the same file listed twice.
    """
    report = Report({name: ClassReport() for name in dataset.classes}, list(dataset.problems))
    readable: list[Item] = []
    with ThreadPoolExecutor(workers) as pool:
        for item, findings, usable in _in_order(pool, dataset.items, workers):
            row = report.classes[item.class_name]
            report.problems += findings
            row.unreadable += not usable
            if usable:
                readable.append(item)
                row.normal += item.label == NORMAL
                row.anomalous += item.label == ANOMALOUS
                row.masks += item.mask is not None
            advance()
    for name, row in report.classes.items():
        row.levels = levels_of(item for item in readable if item.class_name == name)
    twice = [path for path, count in Counter(item.image for item in dataset.items).items() if count > 1]
    report.problems += [f"{printable(path)} is listed more than once" for path in twice]
    return report


def _in_order(
    pool: ThreadPoolExecutor, items: tuple[Item, ...], workers: int
) -> Iterator[tuple[Item, list[str], bool]]:
    """`map` would hand the pool everything at once; Ctrl-C then waits for all of it."""
    remaining = iter(items)
    while batch := list(islice(remaining, 4 * workers)):
        yield from pool.map(_look, batch)


def _look(item: Item) -> tuple[Item, list[str], bool]:
    """(item, findings, whether it can be used)."""
    from anomalyclip.io.images import read_image, read_mask

    try:
        width, height = read_image(item.image).size
        if item.mask is None:
            return item, [], True
        mask = read_mask(item.mask)
    except ImageReadError as error:
        return item, [str(error)], False
    findings = []
    if not mask.any():
        findings.append(f"{printable(item.mask)}: the mask of an anomalous image is all black")
    if mask.shape != (height, width):
        fits = same_area(mask.shape[::-1], (width, height))
        then = "it is scaled to fit" if fits else "they do not cover the same area, and its pixels are not used"
        findings.append(
            f"{printable(item.mask)}: the mask has {mask.shape[1]} x {mask.shape[0]} pixels, its image "
            f"{width} x {height}; {then}"
        )
    return item, findings, True
