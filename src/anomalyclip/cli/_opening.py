"""From a call's settings to the detector and the layout that they name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError

if TYPE_CHECKING:
    from anomalyclip.detector import Detector
    from anomalyclip.geometry import Areas, Geometry
    from anomalyclip.io.reading import Reading

_BATCH = {"cpu": 1}  # larger batches do not help a CPU and cost memory
_BATCH_ELSEWHERE = 8


def open_layout(given: Given) -> tuple[Geometry, Areas]:
    """Reads the masks that are files. Raises ConfigError, InputError."""
    from anomalyclip.geometry import parse_layout

    if given.overlap is not None and given.tile is None:
        raise ConfigError("--overlap is of tiles: add --tile SIZE")
    return parse_layout(given.part("layout"))  # type: ignore[arg-type]  # the same names, by declaration


def tell_isolation(given: Given) -> None:
    """What this system cannot bound of the processes that decode, in one line."""
    from anomalyclip.cli._console import note
    from anomalyclip.io.isolation import lacking

    if given.isolate != "off" and not given.quiet and (missing := lacking()) is not None:
        note(f"--isolate: {missing}", style="yellow")


def scan_of(given: Given) -> dict[str, Any]:
    """Keywords of `iter_inputs` and `survey_inputs`: what the arguments stand for."""
    return {name: getattr(given, name) for name in ("recursive", "frames", "axis", "max_pixels")}


def reading_of(given: Given) -> Reading:
    """How the call's pictures are read; of a verb without volumes, along z."""
    from anomalyclip.io.reading import Reading

    return Reading(given.max_pixels, getattr(given, "axis", "z"), given.full_scale)


def load_detector(given: Given, *, quiet: bool = False, **more: Any) -> Detector:
    """`open_detector` for the call; says on stderr what is doubtful, and where a faster runtime is not used."""
    from anomalyclip.cli._address_space import check_address_space
    from anomalyclip.cli._console import note
    from anomalyclip.cli._heap import trim_heap_for
    from anomalyclip.encoders.choosing import faster_runtime
    from anomalyclip.opening import open_detector

    check_address_space(given.threads, "torch" if given.runtime == "torch" else "graph")
    detector = open_detector(**given.part("opening"), **more)
    one_thread()
    trim_heap_for(detector)
    for doubt in () if quiet else detector.doubts():
        note(doubt, style="yellow")
    hint = faster_runtime(given.runtime, detector.runtime, detector.device)
    if hint is not None and not quiet:
        note(hint)
    return detector


def one_thread() -> None:
    """The worker threads are the parallelism; OpenCV's own pool would only fight them."""
    import cv2

    cv2.setNumThreads(1)


def batch_for(model: Detector) -> int:
    """Images per forward pass where the user says nothing."""
    return _BATCH.get(model.device, _BATCH_ELSEWHERE)
