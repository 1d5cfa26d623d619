"""`detector.detect_batch(pictures)`: what Python users call."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.detecting import detect_all
from anomalyclip.errors import ConfigError
from anomalyclip.geometry import parse_layout
from anomalyclip.mutual.passes import FirstPass, SecondPass
from anomalyclip.settings import settings_of
from anomalyclip.settings.faces import PYTHON_BATCH
from anomalyclip.settings.keywords import check_keywords

if TYPE_CHECKING:
    from anomalyclip.detector import Detector
    from anomalyclip.prediction import Prediction

MEGABYTE = 2**20


def detect_batch(
    model: Detector,
    sources: Sequence[Any],
    *,
    profile: Any = None,
    partners: int | None = None,
    mutual_mb: float | None = None,
    **options: Any,
) -> list[Prediction]:
    """See :meth:`anomalyclip.detector.Detector.detect_batch`; options are those of `detect_all`."""
    known = settings_of(PYTHON_BATCH)
    given = {"partners": partners, "mutual_mb": mutual_mb}
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
        model = profile.judging(model, *(parse_layout(layout) if layout else ()))  # type: ignore[arg-type]
        options["threshold"] = profile.image_threshold
    with tempfile.TemporaryDirectory(prefix="anomalyclip-batch-") as folder:
        first = FirstPass(model, Path(folder))
        for source in sources:  # one by one: a prediction holds its picture and map
            detect_all(first, [source], **options)
        budget = int(chosen["mutual_mb"] * MEGABYTE)
        return detect_all(SecondPass(first, partners=int(chosen["partners"]), budget=budget), sources, **options)
