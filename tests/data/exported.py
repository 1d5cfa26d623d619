"""An outline, what it covers, and the folder of pictures that exports speak of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import shapely
import shapely.affinity

from anomalyclip.data import open_dataset
from anomalyclip.data.masks import read_marked

WIDTH, HEIGHT = 48, 36

OUTLINE = [10.3, 5.2, 40.7, 8.9, 33.1, 30.4, 12.6, 25.5]


def shape_of(numbers: list[float]) -> shapely.Polygon:
    return shapely.Polygon(list(zip(numbers[::2], numbers[1::2], strict=True)))


def centres(polygon: shapely.Polygon) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return shapely.contains_xy(polygon, columns + 0.5, rows + 0.5)


def ring(numbers: list[float]) -> tuple[tuple[float, float], ...]:
    return tuple(zip(numbers[::2], numbers[1::2], strict=True))


def masks(root: Path, **options: Any) -> dict[str, np.ndarray | int]:
    """What is known of every image: its pixels, or its label where they are not."""
    found = {}
    for item in open_dataset(root, **options).items:
        known = item.mask is not None
        found[item.image.stem] = read_marked(item.mask, item.image, item.label).marked if known else item.label
    return found
