"""What a detector says of settings that mislead."""

from __future__ import annotations

import pytest

import anomalyclip
from anomalyclip.errors import InputError
from anomalyclip.prediction import decide


@pytest.mark.parametrize(
    ("size", "rest", "near"), [(300, 12, "288 and 304"), (321, 1, "320 and 336"), (319, 15, "304 and 320")]
)
def test_sizes_that_are_no_multiple_of_the_patch(size, rest, near):
    (doubt,) = anomalyclip.load("pocket", device="cpu", image_size=size).doubts()
    assert f"the last {rest} rows and columns are not seen" in doubt
    assert near in doubt


@pytest.mark.parametrize(("score", "threshold"), [(float("nan"), 0.5), (0.5, float("nan"))])
def test_nothing_is_decided_of_what_is_not_a_number(score, threshold):
    with pytest.raises(InputError, match="cannot decide"):
        decide(score, threshold)
    assert decide(score, None) is None
