"""Output folders read back: files, maps and the pixels of regions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from anomalyclip.detect import read_results
from anomalyclip.errors import InputError


@pytest.mark.parametrize("options", [("--findings", "coco", "--maps", "none"), ("--maps", "npz"), ()])
def test_the_pixels_of_regions_come_from_outlines_or_from_maps(
    results_of: Callable[..., Path], options: tuple[str, ...]
) -> None:
    whole = list(read_results(results_of()))
    found = list(read_results(results_of(*options)))
    assert [one.file.name for one in found] == ["0.png", "1.png", "2.png"]
    assert all(one.file.is_file() for one in found)
    regions = 0
    for one, other in zip(found, whole, strict=True):
        values = other.anomaly_map()
        assert values is not None
        assert (one.anomaly_map() is None) == ("none" in options)
        above = np.zeros(values.shape, np.bool_)
        for region, mask in zip(one.row["regions"], one.masks(), strict=True):
            x, y, width, height = region["box"]
            assert mask is not None
            assert mask.sum() == region["area"]
            above[y : y + height, x : x + width] |= mask
            regions += 1
        assert np.array_equal(above, values >= np.float32(0.55))
    assert regions > 3


def test_without_maps_and_outlines_there_are_boxes_alone(results_of: Callable[..., Path]) -> None:
    found = list(read_results(results_of("--maps", "none")))
    assert {mask is None for one in found for mask in one.masks()} == {True}


def test_a_folder_without_results_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no results\.jsonl; name the --output folder"):
        read_results(tmp_path)
