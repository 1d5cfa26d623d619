"""Groups of odd pictures: two kinds of faults are two groups, whatever stands around them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.detect.groups import note_of, write_groups
from anomalyclip.detect.result import COLUMNS, json_line
from anomalyclip.judges.memory.search import unit
from anomalyclip.mutual.groups import fault_feature, group_features


def _features(counts: list[int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (m, 16) around as many directions as there are counts, and which of them each is of."""
    rng = np.random.default_rng(seed)
    kinds = unit(rng.normal(size=(len(counts), 16)).astype(np.float32))
    labels = np.repeat(np.arange(len(counts)), counts)
    return unit(kinds[labels] + 0.02 * rng.normal(size=(len(labels), 16)).astype(np.float32)), labels


@settings(max_examples=15)
@given(seed=st.integers(0, 100))
def test_kinds_are_groups_the_largest_first_and_loners_are_alone(seed: int) -> None:
    features, labels = _features([5, 9, 1], seed)
    found = group_features(features)
    assert set(found[labels == 1]) == {1}
    assert set(found[labels == 0]) == {2}
    assert found[labels == 2].tolist() == [0]


def test_few_pictures_are_alone() -> None:
    assert group_features(_features([2])[0]).tolist() == [0, 0]


def test_a_faults_feature_is_of_its_hottest_patches_alone() -> None:
    patches = unit(np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32))
    distances = np.full(100, 0.01, np.float32)
    distances[[7, 40]] = 0.5
    np.testing.assert_allclose(fault_feature(patches, distances), unit((patches[7] + patches[40])[None])[0], atol=1e-5)


def test_the_page_has_a_card_a_group_and_escapes_names(tmp_path: Path) -> None:
    rows = []
    for number, (path, group) in enumerate([("<b>.png", 1), ("b.png", 1), ("c.png", 0), ("d.png", None)]):
        row = dict.fromkeys(COLUMNS) | {"path": path, "score": 0.5 + number / 10}
        rows.append(json_line(row | {"notes": [] if group is None else ["a remark", note_of(group)]}))
    (tmp_path / "results.jsonl").write_bytes(b"".join(rows))
    page = write_groups(tmp_path, lambda row: row["path"].encode(), 0.5).read_text("utf-8")
    assert "3 odd pictures in 1 group" in page
    assert "Odd is what scores 0.5 or more in this batch; --threshold sets another bar." in page
    assert page.index("Group 1: 2 pictures") < page.index("Alone: 1 picture<")
    assert "<b>.png" not in page
    assert "d.png" not in page
    told = json.loads((tmp_path / "groups.json").read_text())
    assert told == [
        {"group": None, "count": 1, "pictures": ["c.png"]},
        {"group": 1, "count": 2, "pictures": ["b.png", "<b>.png"]},
    ]
