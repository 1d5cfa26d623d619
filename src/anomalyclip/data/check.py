"""Decode everything once and say what is wrong, before hours of work depend on it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from anomalyclip.data.dataset import ANOMALOUS, NORMAL, Dataset, Item, levels_of
from anomalyclip.data.doubts import Doubt, Finding, grouped
from anomalyclip.data.masks import mask_name, read_marked
from anomalyclip.data.pictures import pictures_of, with_own_mask
from anomalyclip.errors import ImageReadError, InputError
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.turns import Turns, readers


@dataclass
class ClassReport:
    """Counts of one class; unreadable images are in none of the others."""

    normal: int = 0
    anomalous: int = 0
    masks: int = 0
    unreadable: int = 0
    levels: frozenset[str] = frozenset()


_FIGURES = re.compile(r"-?\d[\d,.]*(e[+-]?\d+)?")


@dataclass
class Report:
    """What `check_dataset` found. problems: what the reader noted, then what decoding showed, one line each.

    notes: how the data is read, where that is worth a word and nothing is wrong.
    """

    classes: dict[str, ClassReport] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def total(self) -> ClassReport:
        """All classes together."""
        rows = self.classes.values()
        levels = frozenset(level for row in rows for level in row.levels)
        names = ("normal", "anomalous", "masks", "unreadable")
        sums: dict[str, int] = {name: sum(getattr(row, name) for row in rows) for name in names}
        return ClassReport(**sums, levels=levels)


def check_dataset(
    dataset: Dataset,
    advance: Callable[[], object] = lambda: None,
    workers: int = 2,
    reading: Reading | None = None,
) -> Report:
    """Decode every image and mask. `advance` is called after each item, in the calling thread.

    reading: how images are read, None is the reader's defaults.

    Found: unreadable images and masks, masks that cannot be right (`anomalyclip.data.masks.Doubt`), pictures and masks
    that seem to have changed places, classes that decoding leaves without normals or anomalies, the same file listed
    twice.
    """
    report = Report({name: ClassReport() for name in dataset.classes}, list(dataset.problems), list(dataset.notes))
    readable: list[Item] = []
    doubts: list[Finding] = []
    told: dict[str, list[tuple[Path, str]]] = {}  # notes that differ in their figures only, together
    look = partial(_look, reading=reading or Reading())
    pictures = pictures_of(dataset.items, None, reading or Reading())
    with readers(workers) as pool:
        for item, seen in _in_order(pool, look, pictures, workers):
            row = report.classes[item.class_name]
            report.problems += [seen.error] if seen.error else []
            doubts += seen.findings
            row.unreadable += not seen.usable
            for line in seen.notes:
                told.setdefault(_FIGURES.sub("#", line), []).append((item.image, line))
            if seen.usable:
                readable.append(item)
                row.normal += item.label == NORMAL
                row.anomalous += item.label == ANOMALOUS
                row.masks += item.mask is not None and item.label == ANOMALOUS
            advance()
    report.problems += grouped(finding for finding in doubts if not finding.doubt.harmless)
    report.notes += grouped(finding for finding in doubts if finding.doubt.harmless)
    for same in told.values():
        path, line = same[0]
        count = f"{len(same)} images such as {printable(path)}" if len(same) > 1 else printable(path)
        report.notes.append(f"{count}: {line}")
    for name, row in report.classes.items():
        row.levels = levels_of(item for item in readable if item.class_name == name)
    twice = [path for path, count in Counter(item.image for item in dataset.items).items() if count > 1]
    report.problems += [f"{printable(path)} is listed more than once" for path in twice]
    return report


class _Looked(NamedTuple):
    """error: why an item cannot be used, or that its files changed places. findings: doubts about its mask. usable:
    whether it can be used. notes: how its picture is read."""

    error: str = ""
    findings: tuple[Finding, ...] = ()
    usable: bool = True
    notes: tuple[str, ...] = ()


def _in_order(
    pool: ThreadPoolExecutor, look: Callable[[Item], _Looked], items: Iterator[Item], workers: int
) -> Iterator[tuple[Item, _Looked]]:
    """`map` would hand the pool everything at once; Ctrl-C then waits for all of it."""
    turns = Turns()
    while batch := list(islice(items, 4 * workers)):
        waiting = [pool.submit(turns.next(look), item) for item in batch]
        yield from ((item, each.result()) for item, each in zip(batch, waiting, strict=True))


def _look(item: Item, reading: Reading) -> _Looked:
    from anomalyclip.io.notes import notes_of

    try:
        image = reading.image(item.image, item.frame)
        notes = notes_of(image)
        if item.mask is None:
            return _Looked(notes=notes)
        item, limit = with_own_mask(item), reading.max_pixels
        if item.mask is None:
            return _Looked(notes=notes)
        found = read_marked(item.mask, item.image, item.label, published=item.published, max_pixels=limit)
    except ImageReadError as error:
        return _Looked(str(error), usable=False)
    except InputError as error:  # masks of another number of pictures
        return _Looked(str(error))
    swapped = ""
    if any(finding.doubt is Doubt.HALF for finding in found.findings) and len(image.getcolors(2) or ()) == 2:
        names = f"{printable(item.image)} and {mask_name(item.mask)}"
        swapped = f"{names}: the picture has two colours and the mask many; have they changed places?"
    return _Looked(swapped, found.findings, notes=notes)
