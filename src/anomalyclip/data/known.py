"""The 17 data sets of the paper (METHOD section 8) by name. None is downloaded: their owners' terms apply."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.data.known_industrial import INDUSTRIAL
from anomalyclip.data.known_medical import MEDICAL
from anomalyclip.data.known_set import Known as Known
from anomalyclip.data.layouts import Layout, MaskBeside
from anomalyclip.data.listed import Listed
from anomalyclip.errors import InputError

KNOWN: dict[str, Known] = {known.name: known for known in (*INDUSTRIAL, *MEDICAL)}


def find_known(name: str) -> Known:
    """A data set by any of its names. Raises InputError that lists them all.

    >>> find_known("mvtec_anomaly_detection").name
    'MVTec AD'
    """
    for known in KNOWN.values():
        if known.answers_to(name):
            return known
    raise InputError(f"unknown data set {name!r}; expected one of {', '.join(KNOWN)}")


def recognise(root: Path) -> Known | None:
    """Which known data set lies in a folder: by its name, or because it holds exactly the set's several classes.

    One class name proves nothing (many sets have a "wood" or a "brain"), so sets of one class go by the folder's name,
    unless the layout is theirs alone.
    """
    for known in KNOWN.values():
        fitting = place(known, root)
        if fitting is None:
            continue
        by_name = any(known.answers_to(name) for name in (root.name, root.resolve().name))
        if by_name or (len(known.classes) > 1 and set(fitting[0].classes(fitting[1])) == set(known.classes)):
            return known
        if isinstance(fitting[0], MaskBeside) or (isinstance(fitting[0], Listed) and known.name in ("VisA", "HeadCT")):
            return known
    return None


def place(known: Known, root: Path) -> tuple[Layout, Path] | None:
    """The layout in which a data set lies under a folder, and the subfolder where it starts; None if in none."""
    from anomalyclip.data.listings import child

    for inner in known.inside:
        base = child(root, *inner.split("/")) if inner else root
        for layout in known.layouts:
            if base.is_dir() and layout.fits(base):
                return layout, base
    return None
