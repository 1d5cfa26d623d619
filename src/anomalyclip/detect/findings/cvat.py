"""CVAT for images 1.1: an image per row with its decision as a tag, a polygon per region, a mask where it has holes.

CVAT knows an image by a name without a beginning slash: its path below the folder that all images share. Regions carry
their peak, mean and area as attributes, which a task may have or not.
"""

# ruff: noqa: PTH118, PTH120 - names as they are

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape  # `xml.sax.saxutils` would load the modules of the network
from pathlib import Path
from typing import NamedTuple

from anomalyclip.detect import folder
from anomalyclip.detect.findings.parts import LABEL, filled, run_lengths, scored_rows, whole
from anomalyclip.detect.journal import Row
from anomalyclip.geometry.regions import Region
from anomalyclip.io.names import printable

_MEASURES = ("peak", "mean", "area")
_TAGS = ("anomalous", "normal")


def cvat(path: Path) -> Iterator[str]:
    """The parts of the file."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n'
    yield "<meta><task><mode>annotation</mode><labels>\n"
    yield f"<label><name>{LABEL}</name><type>any</type><attributes>"
    for name in _MEASURES:
        yield f"<attribute><name>{name}</name><mutable>False</mutable><input_type>text</input_type>"
        yield "<default_value></default_value><values></values></attribute>"
    yield "</attributes></label>\n"
    yield from (f"<label><name>{tag}</name><type>tag</type><attributes></attributes></label>\n" for tag in _TAGS)
    yield "</labels></task></meta>\n"
    shared = _shared_folder(path)
    for number, row in scored_rows(path):
        yield from _image(number - 1, row, os.path.relpath(_full(row, shared.cwd), shared.folder))
    yield "</annotations>\n"


class _Shared(NamedTuple):
    cwd: str
    folder: str


def _shared_folder(path: Path) -> _Shared:
    """The folder of all scored images, and the one that their paths count from."""
    cwd, shared = folder.working_folder(path), ""
    for _, row in scored_rows(path):
        place = os.path.dirname(_full(row, cwd))
        shared = os.path.commonpath([shared, place]) if shared else place
    return _Shared(cwd, shared)


def _full(row: Row, cwd: str) -> str:
    return os.path.normpath(os.path.join(cwd, row["path"]))


def _image(number: int, row: Row, name: str) -> Iterator[str]:
    told = f'"{escape(printable(name.replace(os.sep, "/")))}"'
    yield f'<image id="{number}" name={told} width="{row["width"]}" height="{row["height"]}">\n'
    if row["decision"] is not None:
        yield f'<tag label="{row["decision"]}" source="auto"></tag>\n'
    for region in row["regions"]:
        yield from _shapes(region)
    yield "</image>\n"


def _shapes(region: Region) -> Iterator[str]:
    common = f'label="{LABEL}" source="auto" occluded="0" z_order="0"'
    measures = (f'<attribute name="{name}">{escape(str(dict(region)[name]))}</attribute>' for name in _MEASURES)
    told = "".join(measures)
    if not whole(region):
        left, top, width, height = region["box"]
        place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
        yield f'<mask {common} rle="{", ".join(map(str, run_lengths(filled(region))))}" {place}>{told}</mask>\n'
        return
    for (ring,) in region["polygons"]:
        points = ";".join(f"{x:.2f},{y:.2f}" for x, y in ring[:-1])
        yield f'<polygon {common} points="{points}">{told}</polygon>\n'
