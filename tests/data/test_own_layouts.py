"""Folders of no known data set: black masks, several masks of an image, halves, nested folders, masks beside images."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from anomalyclip.data import check_dataset, load_mask, open_dataset
from anomalyclip.data.masks import MaskFiles
from anomalyclip.errors import InputError


def seen(root: Path, **options) -> dict[str, tuple[int, bool]]:
    """Image -> (label, whether its pixels are marked)."""
    dataset = open_dataset(root, **options)
    assert check_dataset(dataset).total.unreadable == 0
    return {i.image.relative_to(dataset.root).as_posix(): (i.label, i.mask is not None) for i in dataset.items}


@pytest.mark.parametrize(
    ("images", "masks", "ending"),
    [
        ("images", "masks", ""),
        ("img", "label", "_mask"),
        ("JPEGImages", "SegmentationClass", ""),
        ("images/test", "masks/test", "_gt"),
        ("test/images", "test/masks", ""),
        ("Images", "Ground_Truth", "_label"),
    ],
)
def test_a_black_mask_is_a_normal_picture(tmp_path: Path, put, images: str, masks: str, ending: str) -> None:
    for number in range(4):
        put(tmp_path / f"{images}/{number}.png")
        put(tmp_path / f"{masks}/{number}{ending}.png", 255 if number % 2 else 0, part=True)
    assert list(seen(tmp_path).values()) == [(0, False), (1, True), (0, False), (1, True)]
    dataset = open_dataset(tmp_path)
    assert dataset.levels == {"image", "pixel"}
    assert all(item.has_mask for item in dataset.items)
    assert check_dataset(dataset).problems == []


def test_a_black_mask_below_a_folder_that_says_anomalous_is_told(tmp_path: Path, put) -> None:
    put(tmp_path / "good/a.png"), put(tmp_path / "bad/b.png"), put(tmp_path / "ground_truth/bad/b.png", 0)
    assert "all black" in "\n".join(check_dataset(open_dataset(tmp_path)).problems)


def test_masks_of_normal_pictures_are_looked_at(tmp_path: Path, put) -> None:
    for name, value in (("good/a", 0), ("good/b", 255), ("bad/c", 255)):
        put(tmp_path / f"{name}.png"), put(tmp_path / f"ground_truth/{name}_mask.png", value, part=True)
    problems = "\n".join(check_dataset(open_dataset(tmp_path)).problems)
    assert "b_mask.png" in problems
    assert "labelled normal" in problems
    assert "a_mask.png" not in problems


def test_kolektor_sdd2(tmp_path: Path, put) -> None:
    for split, numbers in (("test", (20000, 20001, 20002)), ("train", (10000, 10001))):
        for number in numbers:
            put(tmp_path / f"{split}/{number}.png")
            put(tmp_path / f"{split}/{number}_GT.png", 255 * (number % 2), part=True)
    assert seen(tmp_path) == {
        "test/20000.png": (0, False),
        "test/20001.png": (1, True),
        "test/20002.png": (0, False),
    }
    assert list(seen(tmp_path, split="train")) == ["train/10000.png", "train/10001.png"]


def test_masks_beside_their_images_in_one_folder(tmp_path: Path, put) -> None:
    put(tmp_path / "a.jpg"), put(tmp_path / "a_mask.png", 255, part=True), put(tmp_path / "b.jpg")
    assert seen(tmp_path) == {"a.jpg": (1, True), "b.jpg": (0, False)}
    assert "1 images without a mask beside them (they count as normal): b.jpg" in open_dataset(tmp_path).problems


def test_bmad_with_and_without_pixels(tmp_path: Path, put) -> None:
    brain, histology = tmp_path / "Brain", tmp_path / "Histopathology"
    for split in ("train", "valid", "test"):
        put(brain / f"{split}/good/img/00003_60.png"), put(histology / f"{split}/good/1000.png")
    for split in ("valid", "test"):
        put(brain / f"{split}/Ungood/img/00002_60.png"), put(histology / f"{split}/Ungood/1001.png")
        put(brain / f"{split}/Ungood/label/00002_60.png", 255, part=True)
    assert seen(brain) == {"test/good/img/00003_60.png": (0, False), "test/Ungood/img/00002_60.png": (1, True)}
    assert seen(brain, split="train") == {"train/good/img/00003_60.png": (0, False)}
    assert seen(histology) == {"test/good/1000.png": (0, False), "test/Ungood/1001.png": (1, False)}
    assert open_dataset(brain).problems == ()


def test_mvtec_loco_has_several_masks_of_an_image(tmp_path: Path, put) -> None:
    root = tmp_path / "juice_bottle"
    for kind in ("good", "logical_anomalies", "structural_anomalies"):
        put(root / f"test/{kind}/000.png")
    put(root / "train/good/000.png"), put(root / "validation/good/000.png")
    put(root / "ground_truth/logical_anomalies/000/000.png", 230, part=True)
    put(root / "ground_truth/logical_anomalies/000/001.png", 238, part=True)
    put(root / "ground_truth/structural_anomalies/000/000.png", 255, part=True)
    for place in (root, tmp_path):
        dataset = open_dataset(place)
        assert [(i.kind, i.label) for i in dataset.items] == [
            ("good", 0),
            ("logical_anomalies", 1),
            ("structural_anomalies", 1),
        ]
        assert isinstance(dataset.items[1].mask, MaskFiles)
        assert load_mask(dataset.items[1], 4).any()
        assert check_dataset(dataset).problems == []


def test_nested_folders_pair_by_their_subfolders(tmp_path: Path, put) -> None:
    for day in ("monday", "tuesday"):
        put(tmp_path / f"good/{day}/cam1/0.png"), put(tmp_path / f"bad/{day}/0.png")
        put(tmp_path / f"ground_truth/bad/{day}/0_mask.png", 255, part=True)
    dataset = open_dataset(tmp_path)
    assert [i.image.relative_to(tmp_path).as_posix() for i in dataset.items] == [
        "good/monday/cam1/0.png",
        "good/tuesday/cam1/0.png",
        "bad/monday/0.png",
        "bad/tuesday/0.png",
    ]
    assert [i.mask.parent.name for i in dataset.items if i.mask] == ["monday", "tuesday"]
    assert check_dataset(dataset).problems == []


def test_pictures_without_suffix_are_found(tmp_path: Path, put) -> None:
    put(tmp_path / "good/a.png").rename(tmp_path / "good/IM0001"), put(tmp_path / "bad/b.png")
    assert list(seen(tmp_path)) == ["good/IM0001", "bad/b.png"]


def test_refusals_say_what_is_there(tmp_path: Path, put) -> None:
    put(tmp_path / "deep/set/good/a.png"), put(tmp_path / "deep/set/bad/b.png")
    with pytest.raises(InputError, match="One lies a level deeper: deep"):
        open_dataset(tmp_path)
    put(tmp_path / "other/x/1.png"), put(tmp_path / "other/y/2.png"), put(tmp_path / "other/3.png")
    (tmp_path / "other/list.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match=r"1 image without a folder; images in x/ \(1\), y/ \(1\)") as caught:
        open_dataset(tmp_path / "other")
    assert "list.csv is not used" in str(caught.value)


def test_an_entry_that_cannot_be_read_is_told_and_hides_nothing(tmp_path: Path, put) -> None:
    put(tmp_path / "good/a.png"), put(tmp_path / "bad/b.png")
    (tmp_path / "bad/self.png").symlink_to("self.png")
    (tmp_path / "bad/gone.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "good/pipe.png")
    report = check_dataset(open_dataset(tmp_path))
    assert (report.total.normal, report.total.anomalous, report.total.unreadable) == (1, 1, 3)
    told = "\n".join(report.problems)
    for reason in ("leads back to itself", "there is no such file", "not a regular file"):
        assert reason in told
