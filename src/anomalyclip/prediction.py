"""What detection gives for one image."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from anomalyclip.errors import InputError
from anomalyclip.geometry.regions import Region
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Decision = Literal["anomalous", "normal"]
_SHOWN_SIDE = 640
_SHOWN_REGIONS = 10


@dataclass(frozen=True, repr=False, eq=False)  # equal is what is the same: arrays have no truth of their own
class Prediction:
    """Score, heat map and, with a threshold, a decision for one image.

    Attributes:
        score: image score in [0, 1], METHOD section 5.
        anomaly_map: float32 (height, width) in [0, 1] at the image's own size, on a fixed scale: maps of different
            images are comparable, nothing is stretched per image.
        width, height: the image's own size in pixels.
        path: where the image came from, if it was a file.
        decision: "anomalous" if score >= threshold, else "normal"; None without a threshold.
        p_value: how seldom good pictures score as high, see :mod:`anomalyclip.calibration`; None without a profile.
        image: the RGB image the map belongs to, for overlays.
        geometry: None for one plain view of the whole image, else how many views it took, the box the model saw and the
            share of pixels that count, see :mod:`anomalyclip.geometry`.
        regions: where the map reaches the pixel threshold, strongest first, see
            :class:`anomalyclip.geometry.regions.Region`; none without a threshold.
        pixel_threshold: from which map value on a pixel belongs to a region; None where none was asked for.
        valid: (height, width) False where pixels do not count: outside the region of interest, or ignored; None if all
            do. The map is 0 there.
    """

    score: float
    anomaly_map: NDArray[np.float32] = field(repr=False)
    width: int
    height: int
    path: str | None = None
    decision: Decision | None = None
    p_value: float | None = None
    image: Image | None = field(default=None, repr=False)
    geometry: Mapping[str, Any] | None = None
    regions: tuple[Region, ...] = ()
    pixel_threshold: float | None = None
    valid: NDArray[np.bool_] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        """One line; `to_dict()` has everything but the map."""
        count = f"{len(self.regions)} region{'s' * (len(self.regions) != 1)}"
        facts = [f"score {self.score:.4f}", *([self.decision] if self.decision is not None else [])]
        facts += [f"p = {self.p_value:.3g}"] if self.p_value is not None else []
        facts += [count] if self.pixel_threshold is not None else []
        return f"<Prediction {printable(self.path or 'image')}, {self.width} x {self.height}: {', '.join(facts)}>"

    @property
    def notes(self) -> tuple[str, ...]:
        """What has to be told about how the picture was read (a guessed depth, bands left out), one line each."""
        from anomalyclip.io import notes_of

        return () if self.image is None else notes_of(self.image)

    @property
    def nearest(self) -> tuple[Mapping[str, Any] | None, ...]:
        """Of each of `regions` the good patch that the patch at its peak was compared with: in which picture, where,
        and how far, see :class:`anomalyclip.judges.memory.comparing.Compared`; None where no memory judged."""
        return tuple(region.get("nearest") for region in self.regions)

    def masks(self) -> NDArray[np.bool_]:
        """Of each of `regions` its pixels, bool (regions, height, width); they never overlap.

        >>> from anomalyclip.geometry.regions import find_regions
        >>> values = np.zeros((4, 6), np.float32); values[1:3, 1:3] = 0.8
        >>> found = Prediction(0.8, values, 6, 4, regions=tuple(find_regions(values, 0.5)), pixel_threshold=0.5)
        >>> found.masks().sum(axis=(1, 2)).tolist()
        [4]
        """
        import cv2

        if not self.regions or self.pixel_threshold is None:
            return np.zeros((0, self.height, self.width), np.bool_)
        above = self.anomaly_map >= np.float32(self.pixel_threshold)
        if self.valid is not None:
            above &= self.valid
        _, labels = cv2.connectedComponents(above.astype(np.uint8), connectivity=8)
        return np.stack([labels == labels[y, x] for x, y in (region["peak_xy"] for region in self.regions)])

    def to_supervision(self) -> Any:
        """The regions as `supervision.Detections`, see :func:`anomalyclip.integrations.to_supervision`."""
        from anomalyclip.integrations.supervision import to_supervision  # upstairs: see the contract in pyproject.toml

        return to_supervision(self)

    def to_dict(self) -> dict[str, Any]:
        """What a row of `results.jsonl` says of the picture itself, as JSON values; without the map."""
        return {
            "path": self.path,
            "width": self.width,
            "height": self.height,
            "score": float(self.score),
            "p_value": self.p_value,
            "decision": self.decision,
            "regions": [dict(region) for region in self.regions],
            "geometry": None if self.geometry is None else dict(self.geometry),
            "notes": list(self.notes),
        }

    def _repr_html_(self) -> str:
        """The overlay and its facts, for notebooks; file names are escaped, nothing is loaded from elsewhere."""
        shown = self.overlay()
        shown.thumbnail((_SHOWN_SIDE, _SHOWN_SIDE))
        buffer = io.BytesIO()
        shown.save(buffer, "PNG")
        source = base64.b64encode(buffer.getvalue()).decode("ascii")
        facts = [f"score {self.score:.3f}"]
        facts += [f"p = {self.p_value:.3g}"] if self.p_value is not None else []
        facts += [self.decision] if self.decision is not None else []
        rows = "".join(_region_row(region) for region in self.regions[:_SHOWN_REGIONS])
        table = f"<table><tr><th>peak</th><th>box</th><th>nearest good patch</th></tr>{rows}</table>" if rows else ""
        return (
            f'<figure><img alt="heat map" src="data:image/png;base64,{source}">'
            f"<figcaption>{escape(self.path or 'image')}: {', '.join(facts)}</figcaption>{table}</figure>"
        )

    def overlay(self) -> Image:
        """The image with its heat map on the fixed colour scale and a colour bar."""
        from PIL import Image

        from anomalyclip.io import draw_overlay

        base = self.image if self.image is not None else Image.new("RGB", (self.width, self.height), "white")
        return draw_overlay(base, self.anomaly_map, score=self.score, decision=self.decision, valid=self.valid)

    def save_overlay(self, path: str | Path) -> None:
        """Write :meth:`overlay` as PNG or JPEG; raises :class:`~anomalyclip.errors.OutputError` if it cannot."""
        from anomalyclip.io import write_image

        write_image(path, self.overlay())


def _region_row(region: Region) -> str:
    found: Mapping[str, Any] | None = region.get("nearest")
    words = "" if found is None else f"{found['picture']} at {found['box']}, distance {found['distance']:.3f}"
    return f"<tr><td>{region['peak']:.3f}</td><td>{region['box']}</td><td>{escape(words)}</td></tr>"


def decide(score: float, threshold: float | None) -> Decision | None:
    """The decision at a threshold, None without one.

    Raises:
        InputError: the score or the threshold is NaN: it is not below anything, and "normal" would be a guess.

    >>> decide(0.7, 0.5), decide(0.2, 0.5), decide(0.2, None)
    ('anomalous', 'normal', None)
    """
    if threshold is None:
        return None
    if math.isnan(score) or math.isnan(threshold):
        raise InputError(
            f"cannot decide: the score is {score} and the threshold {threshold}; a model that gives NaN is damaged or "
            "runs in too low a precision: load it again, or try --precision fp32"
        )
    return "anomalous" if score >= threshold else "normal"
