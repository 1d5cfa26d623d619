"""Images that two methods place differently: the picture and both maps side by side, on one colour scale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from anomalyclip.comparison.comparing import Comparison, ImageDifference
from anomalyclip.comparison.runs import Method, Run
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.atomic import output_error
from anomalyclip.io.names import printable
from anomalyclip.reopening import reopen

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL.Image import Image

    from anomalyclip.detector import Detector

PICTURES = "images"
SIDE = 480
"""Pixels, the longest side of each of the three panels."""


class Maps:
    """Anomaly maps of images in runs: those that were kept, else made again by the model that the run records."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self._opened: dict[Path, Detector | None] = {}

    def of(self, method: Method, one: ImageDifference) -> npt.NDArray[np.float32] | None:
        """(H, W) in [0, 1]; None where it cannot be had, with a line in `problems`."""
        from anomalyclip.io import read_map

        run = run_of(method, one)
        try:
            kept = run.sets[one.dataset, one.class_name].maps.get(one.image)
            if kept is not None:
                return read_map(kept)
            detector = self._detector(run)
            return None if detector is None else detector.detect(_picture(run, one)).anomaly_map
        except AnomalyClipError as error:
            self._tell(f"no map of {one.image} by {method.name}: {error}")
            return None

    def _detector(self, run: Run) -> Detector | None:
        if run.path not in self._opened:
            self._opened[run.path] = None
            if run.verb != "evaluate":
                self._tell(f"{run.path.name} kept no maps (--maps none)")
            elif run.layout:
                asked = ", ".join(printable(name) for name in run.layout)
                self._tell(f"no maps of {run.path.name}: they are made again of whole images alone, it had {asked}")
            else:
                try:
                    self._opened[run.path] = reopen(run.model)
                except AnomalyClipError as error:
                    self._tell(f"no maps of {run.path.name}: {error}")
        return self._opened[run.path]

    def _tell(self, line: str) -> None:
        if line not in self.problems:
            self.problems.append(line)


def write_pictures(folder: Path, found: Comparison, count: int) -> tuple[list[Path], list[str]]:
    """Write the first `count` images below `folder`/images; gives their paths, and what kept others out, a line each.

    Raises OutputError.
    """
    from anomalyclip.io import write_image

    maps, written = Maps(), list[Path]()
    target = folder / PICTURES
    by_name = {one.name: one for one in found.methods}
    for number, one in enumerate(found.images[:count], start=1):
        pair = [found.methods[0], by_name[one.method]]
        both = [maps.of(method, one) for method in pair]
        try:
            picture = _picture(run_of(pair[0], one), one)
        except AnomalyClipError as error:
            maps.problems.append(f"no picture of {one.image}: {error}")
            continue
        if both[0] is None or both[1] is None:
            continue
        try:
            target.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(target, error) from error
        path = target / f"{number:03d}-{_plain(one.image)}.png"
        write_image(path, side_by_side(picture, [m for m in both if m is not None], _captions(pair, one)))
        written.append(path)
    return written, maps.problems


def side_by_side(picture: Image, maps: Sequence[npt.NDArray[np.float32]], captions: Sequence[str]) -> Image:
    """The picture and it under each map, `SIDE` pixels at most, a caption below each."""
    from PIL import Image, ImageDraw, ImageFont

    from anomalyclip.io import draw_overlay

    small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE))
    panels = [small, *(draw_overlay(small, one, colour_bar=False) for one in maps)]
    gap, line = 8, 22
    paper = Image.new("RGB", (len(panels) * (small.width + gap) - gap, small.height + line), "white")
    pen, font = ImageDraw.Draw(paper), ImageFont.load_default(12)
    for number, (panel, caption) in enumerate(zip(panels, captions, strict=True)):
        left = number * (small.width + gap)
        paper.paste(panel, (left, 0))
        fitting = caption
        while fitting and font.getlength(fitting) > small.width:
            fitting = fitting[1:]
        pen.text((left, small.height + 4), fitting, fill=(32, 34, 38), font=font)
    return paper


def run_of(method: Method, one: ImageDifference) -> Run:
    """The run of a method that holds the image."""
    return next(run for run in method.runs if (one.dataset, one.class_name) in run.sets)


def _picture(run: Run, one: ImageDifference) -> Image:
    from anomalyclip.io import read_image

    name, _, frame = one.image.partition("#frame=")
    path = run.root / name
    return read_image(path, frame=int(frame)) if frame.isdigit() else read_image(run.root / one.image)


def _captions(pair: Sequence[Method], one: ImageDifference) -> list[str]:
    label = "anomalous" if one.label else "normal"
    shares = (one.first, one.second)
    told = [f"{method.name}: {100 * share:.0f}% right" for method, share in zip(pair, shares, strict=True)]
    return [printable(f"{label}, {Path(one.image).name}"), *told]


def _plain(name: str) -> str:
    """Of an image, without its suffix.

    >>> _plain("bolt/bad/0 1.png"), _plain("scan.tif#frame=3")
    ('bolt_bad_0_1', 'scan_tif_frame_3')
    """
    stem = re.sub(r"\.[A-Za-z0-9]+$", "", name)
    return re.sub(r"[^A-Za-z0-9_-]+", "_", stem)[-80:].lstrip("_") or "image"
