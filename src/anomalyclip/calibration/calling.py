"""`model.calibrate(pictures)`: what `anomalyclip calibrate` does, for Python."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.calibration.conformal import allowed, check_rate
from anomalyclip.calibration.fitting import DEFAULT_RATE
from anomalyclip.calibration.lining import FEWEST
from anomalyclip.calibration.making import Maker
from anomalyclip.calibration.measured import Measured, collect
from anomalyclip.calibration.operating import RecallWish
from anomalyclip.calibration.profile_parts import check_name
from anomalyclip.detect.inputs import InputItem, iter_inputs
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Areas, Geometry, parse_layout
from anomalyclip.io.full_scale import FullScale, parse_full_scale
from anomalyclip.io.names import printable
from anomalyclip.io.reading import Reading
from anomalyclip.io.sources import as_image, held, listed
from anomalyclip.judges.memory.recipes import AUTO, check_recipe
from anomalyclip.keywords import Calibrating
from anomalyclip.notebook import progress
from anomalyclip.settings import settings_of
from anomalyclip.settings.deciding import MEMORIES
from anomalyclip.settings.faces import CALIBRATE, PYTHON
from anomalyclip.settings.keywords import check_keywords, none_is_not_given

if TYPE_CHECKING:
    from PIL.Image import Image
    from typing_extensions import Unpack

    from anomalyclip.calibration.profile import Profile
    from anomalyclip.calibration.profile_parts import PixelRule
    from anomalyclip.detector import Detector
    from anomalyclip.geometry.settings import Layout

_WORKERS = 2
_SHOWN_PROBLEMS = 3
_FLAGS = re.compile(r" \(--drop (?:NAME\)|.*?\)(?= the threshold))")


def profile_at(given: Profile | str | Path) -> Profile:
    """The profile, or that of a file or an export, as `detect --profile` takes it; errors as of `read_profile`."""
    from anomalyclip.calibration.files import read_profile

    return read_profile(given) if isinstance(given, str | Path) else given


class Pictures:
    """What was given -> items, and their images: folders and globs are expanded as the command line does.

    reading: how pictures are read.
    """

    def __init__(self, given: Any, reading: Reading) -> None:
        several = listed(given)
        sources = [held(one) for one in ([given] if several is None else several)]
        if not sources or given is None:
            raise InputError("there are no pictures to calibrate with; give a folder, paths, PIL images or arrays")
        self._reading = reading
        self._held: dict[bytes, Any] = {}
        paths = [os.fspath(one) for one in sources if isinstance(one, str | os.PathLike)]
        self.items = list(iter_inputs(paths, axis=reading.axis, max_pixels=reading.limit)) if paths else []
        for number, source in enumerate(sources):
            if not isinstance(source, str | os.PathLike):
                key, name = number.to_bytes(16, "big"), f"picture {number}"
                self._held[key] = source
                self.items.append(InputItem(name, name, key))
        if all(item.problem for item in self.items):
            told = "; ".join(f"{printable(item.path)}: {item.problem}" for item in self.items[:_SHOWN_PROBLEMS])
            raise InputError(f"there are no pictures to calibrate with ({told}); check the paths")

    def read(self, item: InputItem) -> Image:
        """An item's RGB image. Raises ImageReadError, InputError."""
        if item.key in self._held:
            image = as_image(self._held[item.key], name=item.path, **self._reading.keywords())
            return self._reading.agreed(image, item.path)
        return self._reading.image(item.file, item.frame)


@none_is_not_given("fpr")
def calibrate_detector(
    model: Detector,
    pictures: Any,
    *,
    fpr: float = DEFAULT_RATE,
    pixel_fpr: float | None = None,
    pixel_rule: PixelRule = "image",
    name: str = "default",
    memory: bool | str = True,
    aligned: int | None = None,
    augment: bool = False,
    split: bool = False,
    self_test: bool = False,
    anomalies: Any = None,
    min_recall: float | None = None,
    batch_size: int = 1,
    axis: str = "z",
    max_pixels: int | None = None,
    full_scale: FullScale | None = None,
    **layout: Unpack[Layout],
) -> Profile:
    """See :meth:`anomalyclip.detector.Detector.calibrate`."""
    rates = fpr, fpr if pixel_fpr is None else pixel_fpr
    chosen = {"pixel_rule": pixel_rule, "aligned": aligned, "augment": augment, "split": split, "self_test": self_test}
    check_keywords({**chosen, "batch_size": batch_size}, settings_of(CALIBRATE))
    if not isinstance(memory, bool | str):
        raise ConfigError(f"memory {memory!r}: expected True, False or one of {', '.join(MEMORIES)}")
    check_keywords({"axis": axis, "max_pixels": max_pixels, "full_scale": full_scale}, settings_of(PYTHON))
    check_keywords(dict(layout), settings_of(PYTHON), hints=tuple(Calibrating.__annotations__))
    check_name(name)
    for rate in rates:
        check_rate(rate)
    if (anomalies is None) != (min_recall is None):
        raise ConfigError("anomalies and min_recall go together: give both, or none")
    reading = Reading(max_pixels, axis, parse_full_scale(full_scale))
    given, bad = Pictures(pictures, reading), None if anomalies is None else Pictures(anomalies, reading)
    if not memory or len(given.items) < FEWEST:
        for rate in rates:
            allowed(len(given.items), rate)
    geometry, areas = parse_layout(layout) if any(value is not None for value in layout.values()) else (None, None)
    geometry, areas = geometry or Geometry(), areas or Areas()

    def measure(model: Detector, items: Sequence[InputItem], known: Measured | None) -> Measured:
        read = bad.read if bad is not None and known is not None and items and items[0] in bad.items else given.read
        options: dict[str, Any] = {"batch_size": batch_size, "workers": _WORKERS, "read": read}
        with progress("calibrate", len(items)) as advance:
            return collect(model, items, geometry=geometry, areas=areas, known=known, advance=advance, **options)

    maker = Maker(
        model,
        geometry,
        areas,
        rates=rates,
        pixel_rule=pixel_rule,
        name=name,
        memory=memory is not False,
        recipe=check_recipe(memory) if isinstance(memory, str) else AUTO,
        aligned=aligned,
        augment=augment,
        split=split,
        self_test=self_test,
        reading=reading,
        read=given.read,
        measure=measure,
    )
    wish = None if min_recall is None else RecallWish(min_recall)
    made = maker.make(given.items, None if bad is None else bad.items, wish)
    skipped = [f"skipped: {Path(path).name}: {why}" for path, why in made.skipped]
    return made.profile.telling([in_python(line) for line in (*made.warnings, *made.told, *skipped)])


def in_python(line: str) -> str:
    """What people are told, without the command line's remedies: in Python one leaves a picture out of the list.

    >>> in_python("  a (1).png: 0.5; without it (--drop a (1).png) the threshold would be 0.4")
    '  a (1).png: 0.5; without it the threshold would be 0.4'
    """
    return _FLAGS.sub("", line).replace("as --anomalies", "as anomalies=")
