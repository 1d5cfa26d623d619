"""One opening lists each folder once, and no longer believes what an earlier one saw."""

from __future__ import annotations

import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from anomalyclip.data import open_dataset
from anomalyclip.data.listings import listed_once, pictures
from anomalyclip.errors import InputError

MVTEC = ("cup/test/good/0.png", "cup/test/crack/1.png", "cup/ground_truth/crack/1_mask.png", "cup/train/good/2.png")
TREES = {
    "MVTec": MVTEC,
    "plain": ("good/0.png", "crack/1.png", "crack/deeper/2.png"),
    "two folders": ("images/0.png", "images/1.png", "masks/0.png", "masks/1.png"),
    "loose": ("0.png", "1.png", "2.png"),
    "list": ("parts/0.png", "parts/1.png", "labels.csv"),
}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a folder was listed, by either way that Python has."""
    seen: Counter[str] = Counter()

    def counting(ask):
        def counted(folder="."):
            seen[os.fspath(folder)] += 1
            return ask(folder)

        return counted

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, counting(getattr(os, name)))
    return seen


@pytest.mark.parametrize("tree", TREES)
def test_no_folder_is_listed_twice(tmp_path: Path, put, listed: Counter[str], tree: str) -> None:
    for name in TREES[tree]:
        if name.endswith(".csv"):
            (tmp_path / name).write_text("image,label\nparts/0.png,0\n1.png,1\n")
        else:
            put(tmp_path / name)
    folders = {tmp_path, *(path for path in tmp_path.rglob("*") if path.is_dir())}
    listed.clear()
    try:
        open_dataset(tmp_path, missing_masks="image-only")
    except InputError:
        assert tree == "loose"
    counts = {path: listed[str(path)] for path in folders}
    assert counts[tmp_path] == 1
    assert set(counts.values()) <= {0, 1}


def test_the_next_opening_sees_what_changed(tmp_path: Path, put) -> None:
    for name in MVTEC:
        put(tmp_path / name)
    assert len(open_dataset(tmp_path).items) == 2
    put(tmp_path / "cup/test/good/3.png")
    put(tmp_path / "cup/test/dent/4.png")
    assert [item.image.name for item in open_dataset(tmp_path, missing_masks="image-only").items] == [
        "0.png",
        "3.png",
        "1.png",
        "4.png",
    ]


def test_what_is_kept_is_one_threads_own(tmp_path: Path, put) -> None:
    with listed_once(), ThreadPoolExecutor(1) as other:
        pictures(tmp_path).append(tmp_path / "none.png")  # the caller's own list
        put(tmp_path / "a.png")
        assert pictures(tmp_path) == []
        assert other.submit(pictures, tmp_path).result() == [tmp_path / "a.png"]
    assert pictures(tmp_path) == [tmp_path / "a.png"]
