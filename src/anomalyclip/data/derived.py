"""Pictures made of others beside them, by their names: NAME_superpixels.png, or the mask of a second annotator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

_MADE = re.compile(
    r"(?P<of>.+)[_. -]"
    r"(super_?pixels?|overlays?|heat_?maps?|thumb(nail)?s?|previews?|anomaly_?maps?|vis(ualization)?|2ndHO)",
    re.IGNORECASE,
)


def derived_among(names: Iterable[str]) -> set[str]:
    """Of the names of a folder's pictures; one counts as made of another only where that lies there.

    >>> sorted(derived_among(["a.jpg", "a_superpixels.png", "b_overlay.png", "a-thumb.jpg"]))
    ['a-thumb.jpg', 'a_superpixels.png']
    """
    stems = {name: PurePath(name).stem for name in names}
    known = set(stems.values())
    return {name for name, stem in stems.items() if (made := _MADE.fullmatch(stem)) and made["of"] in known}
