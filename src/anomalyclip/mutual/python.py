"""`detector.detect_batch(pictures)`: what Python users call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from anomalyclip.detecting import detect_all
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import parse_layout
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.reading import Reading
from anomalyclip.io.scratch import scratch
from anomalyclip.io.sources import held, listed
from anomalyclip.mutual.passes import FirstPass, compared
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import PYTHON_BATCH
from anomalyclip.settings.keywords import check_keywords

if TYPE_CHECKING:
    from anomalyclip.detector import Detector
    from anomalyclip.prediction import Prediction

MEGABYTE = 2**20


def detect_batch(
    model: Detector,
    sources: Iterable[Any],
    *,
    profile: Any = None,
    partners: int | None = None,
    mutual_mb: float | None = None,
    aligned: int | None = None,
    **options: Any,
) -> list[Prediction]:
    """Predictions of pictures that are compared with each other, in their order.

    Args:
        model: with any judge of single pictures.
        sources: as :meth:`anomalyclip.detector.Detector.detect` takes them; each is read twice.
        profile: of `calibrate`, with a memory: joins the batch's distances, and scores have its line's scale.
        partners: other pictures that each one is compared with, at most.
        mutual_mb: megabytes that comparing may take; what is more lies on disk.
        aligned: for parts that lie alike: compare only with places at most so many patches away.
        options: ``batch_size``, ``threshold``, ``frames``, ``axis``, ``max_pixels``, ``full_scale`` and the layout, as
            `detect` takes them.

    Returns:
        Predictions without p-values. Without a profile 0.1 is the middle of the batch, 0.5 three deviations above.

    Raises:
        InputError: no list, or fewer than 5 different pictures. ConfigError: a value out of its range, several views a
        picture, or an encoder without features to compare. And whatever `detect` raises.
    """
    pictures = listed(sources)
    if pictures is None:
        raise InputError("detect_batch compares pictures with each other: give a list of them; detect takes one")
    pictures = [held(one) for one in pictures]
    known = settings_of(PYTHON_BATCH)
    given = {"partners": partners, "mutual_mb": mutual_mb, "aligned": aligned}
    check_keywords(given, known)
    chosen = {name: known[name].default if value is None else value for name, value in given.items()}
    if profile is not None:
        if options.get("threshold") is not None:
            raise ConfigError("a profile brings its threshold: give profile or threshold, not both")
        if profile.memory is None:
            raise ConfigError("the profile has no memory: its threshold is of the words' scores alone; leave it out")
        layout = {
            name: options[name] for name in ("keep_aspect", "roi", "ignore_mask") if options.get(name) is not None
        }
        asked = {name: options.pop(name, None) for name in ("max_pixels", "axis", "full_scale")}
        told = Reading(asked["max_pixels"], asked["axis"] or "z", parse_full_scale(asked["full_scale"]))
        options |= profile.reading(told).keywords()
        geometry, areas = parse_layout(layout) if layout else (None, None)  # type: ignore[arg-type]
        model = profile.judging(model, geometry, areas, PYTHON_BATCH)
        options["threshold"] = profile.image_threshold
    with scratch("batch") as folder:
        first = FirstPass(model, folder)
        for source in pictures:  # one by one: a prediction holds its picture and map
            detect_all(first, [source], **options)
        budget = int(chosen["mutual_mb"] * MEGABYTE)
        second = compared(first, partners=int(chosen["partners"]), budget=budget, aligned=aligned)
        return detect_all(second, pictures, **options)
