"""What all formats of findings share: the rows of a run, JSON in a stream, and the pixels inside an outline."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import chain, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows
from anomalyclip.geometry.regions import Region

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LABEL = "anomaly"
"""What a region is called in every format."""


def scored_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of an output folder's images with a score, numbered from 1."""
    rows = (row for _, row in read_rows(path / folder.RESULTS) if row["score"] is not None)
    return enumerate(rows, start=1)


def whole(region: Region) -> bool:
    """Whether the region has no holes: polygons without holes can say what it is."""
    return all(len(polygon) == 1 for polygon in region["polygons"])


def as_text(value: Any) -> str:
    """JSON on one line."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def listed(things: Iterable[Any]) -> Iterator[str]:
    """Members of a JSON array, one per line."""
    for number, thing in enumerate(things):
        yield (",\n" if number else "") + as_text(thing)
    yield "\n"


def filled(region: Region) -> npt.NDArray[np.bool_]:
    """The pixels (height, width) of the region's box that lie inside its polygons."""
    import numpy as np

    x, y, width, height = region["box"]
    crossings = np.zeros((height, width + 1), dtype=np.uint8)
    for ring in chain.from_iterable(region["polygons"]):
        for (from_x, from_y), (to_x, to_y) in pairwise(ring):
            if from_x == to_x:
                crossings[min(from_y, to_y) - y : max(from_y, to_y) - y, from_x - x] += 1
    return np.asarray(np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1)


def run_lengths(mask: npt.NDArray[np.bool_]) -> list[int]:
    """Of pixels outside and inside in turn, row by row, beginning with those outside (0 where the first is inside).

    >>> import numpy as np
    >>> run_lengths(np.array([[True, True, False], [False, True, True]]))
    [0, 2, 2, 2]
    """
    import numpy as np

    flat = mask.ravel()
    edges = np.flatnonzero(np.diff(flat, prepend=False))
    lengths: list[int] = np.diff(np.concatenate(([0], edges, [flat.size]))).tolist()
    return lengths
