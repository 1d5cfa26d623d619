"""Calibration profiles of a server: those it was started with, and those that clients make while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from anomalyclip.calibration import Profile, calibrate, images_needed, smallest_rate
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.measured import Measured, collect
from anomalyclip.calibration.profile import PixelRule
from anomalyclip.detect.inputs import InputItem
from anomalyclip.io.reading import Reading
from anomalyclip.serve.batching import Batcher
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.uploads import Upload

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.detector import Detector


MOST_IMAGES = 20_000


@dataclass(frozen=True)
class Aim:
    """What a calibration is for; see `anomalyclip.calibration.calibrate`."""

    rate: float = DEFAULT_RATE
    pixel_rate: float | None = None
    pixel_rule: PixelRule = "image"

    @property
    def images_needed(self) -> int:
        return images_needed(min(self.rate, self.rate if self.pixel_rate is None else self.pixel_rate))


@dataclass
class _Made:
    """A profile in the making. profile: None while its images are too few."""

    reading: Reading
    measured: Measured = field(default_factory=Measured)
    profile: Profile | None = None


class Profiles:
    """Profiles by name. `calibrate` runs on one thread only; the others read.

    given: profiles of files; clients can use but not replace them. Raises ConfigError for one of another model.
    provenance: the served model's. most: how many profiles clients may have at once.
    """

    def __init__(self, given: Sequence[Profile], provenance: Mapping[str, Any], most: int) -> None:
        for profile in given:
            profile.check_model(provenance)
        self._given = {profile.name: profile for profile in given}
        self._provenance, self._most = provenance, most
        self._made: dict[str, _Made] = {}

    def all(self) -> list[Profile]:
        made = [each.profile for each in self._made.values() if each.profile is not None]
        return sorted([*self._given.values(), *made], key=lambda profile: profile.name)

    def get(self, name: str) -> Profile:
        """Raises Refused (404)."""
        made = self._made.get(name)
        found = self._given.get(name) or (made.profile if made is not None else None)
        if found is None:
            known = ", ".join(profile.name for profile in self.all()) or "none"
            raise Refused("not_found", f"there is no profile {name!r}; known are: {known}")
        return found

    def remove(self, name: str) -> None:
        """Raises Refused: 404, or 422 for one that came from a file."""
        self.refuse_given(name)
        self.get(name)
        self._made.pop(name, None)

    def refuse_given(self, name: str) -> None:
        if name in self._given:
            raise Refused("invalid", f"the profile {name!r} came with the server; take another name")

    def calibrate(self, name: str, normals: Measured, aim: Aim, reading: Reading, *, append: bool) -> dict[str, Any]:
        """Add measured images to a profile, or start it anew; the answer of `POST /v1/calibrate`.

        Raises Refused where clients have too many profiles, or earlier images of this one were read otherwise.
        """
        if name not in self._made and len(self._made) >= self._most:
            raise Refused("invalid", f"the server holds {self._most} profiles of clients; remove one first")
        made = self._made.get(name) if append else None
        made = made or _Made(reading)
        if made.reading != reading:
            raise Refused("invalid", f"the images of {name!r} so far were read with another axis or full_scale")
        if len(made.measured.scores) + len(normals.scores) > MOST_IMAGES:
            raise Refused("invalid", f"a profile made here takes {MOST_IMAGES:,} images; use `anomalyclip calibrate`")
        skipped, normals.skipped = normals.skipped, []
        made.measured.extend(normals)
        made.profile = self._fitted(name, made, aim)
        self._made[name] = made
        return self._told(made, aim, skipped)

    def known(self, name: str, *, append: bool) -> Measured | None:
        """What was measured for this profile before."""
        made = self._made.get(name) if append else None
        return made.measured if made is not None else None

    def _fitted(self, name: str, made: _Made, aim: Aim) -> Profile | None:
        if len(made.measured.scores) < aim.images_needed:
            return None
        return calibrate(
            made.measured,
            {**self._provenance, "settings": {**self._provenance["settings"], **made.reading.recorded()}},
            name=name,
            rate=aim.rate,
            pixel_rate=aim.pixel_rate,
            pixel_rule=aim.pixel_rule,
        )

    def _told(self, made: _Made, aim: Aim, skipped: Sequence[tuple[str, str]]) -> dict[str, Any]:
        count = len(made.measured.scores)
        return {
            "images": count,
            "skipped": [{"path": path, "reason": reason} for path, reason in skipped],
            "smallest_rate": smallest_rate(count),
            "images_needed": aim.images_needed,
            "profile": None if made.profile is None else summary(made.profile),
        }


def summary(profile: Profile) -> dict[str, Any]:
    """A profile without its images' scores. A threshold above 1 is one that nothing reaches."""
    return {
        "name": profile.name,
        "made": profile.made,
        "images": profile.count,
        "rate": profile.image.rate,
        "rate_interval": list(profile.rate_interval()),
        "image_threshold": profile.image_threshold,
        "pixel_threshold": profile.pixel_threshold,
        "pixel_rate": profile.pixel.rate,
        "pixel_rule": profile.pixel.rule,
    }


def measure_uploads(
    uploads: Sequence[Upload],
    model: Detector,
    batcher: Batcher,
    known: Measured | None,
    reading: Reading,
    *,
    batch_size: int,
) -> Measured:
    """Blocks until all are measured; the model's turns are shared with all other requests."""
    items = [InputItem(upload.name, upload.name, i.to_bytes(16, "big")) for i, upload in enumerate(uploads)]
    contents = {item.key: upload for item, upload in zip(items, uploads, strict=True)}
    read = partial(_read, contents, reading)
    turns = cast("Detector", Turns(model, batcher))
    return collect(turns, items, batch_size=batch_size, workers=1, known=known, read=read)


def _read(contents: Mapping[bytes, Upload], reading: Reading, item: InputItem) -> Image:
    upload = contents[item.key]
    return reading.content(upload.read(), item.path, upload.frame)


class Turns:
    """A detector whose passes wait in the server's queue like any other image."""

    def __init__(self, model: Detector, batcher: Batcher) -> None:
        self._model, self._batcher = model, batcher

    def __getattr__(self, name: str) -> Any:
        """Everything but `predict` is the detector's."""
        return getattr(self._model, name)

    def predict(self, pixels: NDArray[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Every image waits for its own turn."""
        outcomes = [future.result() for future in [self._batcher.submit(each) for each in pixels]]
        scores, maps = zip(*outcomes, strict=True)
        return np.array(scores, np.float32), np.stack(maps)
