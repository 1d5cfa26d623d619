"""The keywords of `detector.calibrate(...)` and `detector.detect(...)`, as type checkers and `help` show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from anomalyclip.geometry.settings import Layout

if TYPE_CHECKING:
    from anomalyclip.io.full_scale import FullScale


class Calibrating(Layout, total=False):
    """The keywords of :meth:`anomalyclip.detector.Detector.calibrate`, besides those of the layout.

    fpr: share of good pictures that may be called anomalous, in (0, 1). pixel_fpr: the same for regions; None is
    `fpr`. pixel_rule: counts pictures with any region ("image"), or pixels of good pictures ("pixel").
    name: of the camera or product. memory: remember the pictures, from 4 on, and compare others with them; False draws
    thresholds alone, a name is a published method's (`anomalyclip.judges.memory.recipes`). aligned: compare only with
    places at most so many patches away. augment: remember turned and mirrored copies, too. split: remember half of them
    and let the other half draw the line. self_test: paint faults on the pictures and tell which are found; up to a
    minute more, so it has to be asked for here. anomalies, min_recall: pictures with defects, and the share of such
    that decisions are to find. batch_size: pictures per forward pass where no memory is made. axis, max_pixels,
    full_scale: how pictures are read, as in `detect`.
    """

    fpr: float
    pixel_fpr: float | None
    pixel_rule: Literal["image", "pixel"]
    name: str
    memory: bool | str
    aligned: int | None
    augment: bool
    split: bool
    self_test: bool
    anomalies: Any
    min_recall: float | None
    batch_size: int
    axis: str
    max_pixels: int | None
    full_scale: FullScale | None


CALIBRATING = {
    **{"fpr": 0.01, "pixel_rule": "image", "name": "default", "memory": True, "augment": False, "split": False},
    **{"self_test": False, "batch_size": 1, "axis": "z"},
}
"""What they are unless given, where that is not None: `help` shows it."""


class Asked(Layout, total=False):
    """Keywords of :meth:`anomalyclip.detector.Detector.detect` besides `frames`, which decides what it returns."""

    batch_size: int
    threshold: float | None
    pixel_threshold: float | None
    min_area: int
    profile: Any
    axis: str
    max_pixels: int | None
    full_scale: FullScale | None
