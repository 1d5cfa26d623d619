"""Every published layout, as a tiny tree: counts, labels, masks by name, and the traps each one sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalyclip.data import KNOWN, Dataset, find_known, open_dataset
from anomalyclip.errors import InputError


def facts(dataset: Dataset) -> set[tuple[str, str | None, int, str, str]]:
    root = dataset.root
    return {
        (
            i.image.relative_to(root).as_posix(),
            i.mask.relative_to(root).as_posix() if i.mask else None,
            i.label,
            i.class_name,
            i.kind,
        )
        for i in dataset.items
    }


def tree(root: Path, put, files: str) -> Path:
    """Files separated by white space; masks are white, files that end in ! are black."""
    for name in files.split():
        put(root / name.rstrip("!"), 0 if name.endswith("!") else 255)
    return root


def test_the_table_is_the_papers() -> None:
    assert len(KNOWN) == 17
    counts = {name: len(known.classes) for name, known in KNOWN.items()}
    assert [counts[name] for name in ("MVTec AD", "VisA", "MPDD", "BTAD", "SDD", "DAGM", "DTD-Synthetic")] == [
        15, 12, 6, 3, 1, 10, 12,
    ]  # fmt: skip
    assert sum(known.domain == "industrial" for known in KNOWN.values()) == 7
    assert all(known.source.startswith("http") and known.layouts for known in KNOWN.values())
    assert sum(known.levels == {"pixel"} for known in KNOWN.values()) == 6
    every = [name for known in KNOWN.values() for name in (known.name, *known.folders)]
    assert all(sum(k.answers_to(name) for k in KNOWN.values()) == 1 for name in every)
    with pytest.raises(InputError, match=r"expected one of MVTec AD"):
        find_known("nothing")


def test_mvtec(tmp_path: Path, put) -> None:
    root = tree(
        tmp_path / "mvtec",
        put,
        "bottle/train/good/000.png bottle/test/good/000.png bottle/test/broken/000.png bottle/test/broken/001.png "
        "bottle/ground_truth/broken/001_mask.png bottle/ground_truth/broken/000_mask.png",
    )
    (root / "license.txt").write_text("x")
    dataset = open_dataset(root)
    assert (dataset.name, dataset.classes, dataset.levels) == ("MVTec AD", ("bottle",), {"image", "pixel"})
    assert facts(dataset) == {
        ("bottle/test/good/000.png", None, 0, "bottle", "good"),
        ("bottle/test/broken/000.png", "bottle/ground_truth/broken/000_mask.png", 1, "bottle", "broken"),
        ("bottle/test/broken/001.png", "bottle/ground_truth/broken/001_mask.png", 1, "bottle", "broken"),
    }
    assert all(item.has_mask for item in dataset.items)
    assert not dataset.problems
    train = open_dataset(root, split="train")
    assert [item.label for item in train.items] == [0]
    assert train.items[0].has_mask
    assert open_dataset(root / "bottle").classes == ("bottle",)


def test_btad_mixes_bmp_and_png(tmp_path: Path, put) -> None:
    root = tree(
        tmp_path / "BTech_Dataset_transformed",
        put,
        "01/train/ok/0.bmp 01/test/ok/0.bmp 01/test/ko/1.bmp 01/ground_truth/ko/1.png "
        "02/test/ok/0.png 02/test/ko/1.png 02/ground_truth/ko/1.png "
        "03/test/ok/0.bmp 03/test/ko/1.bmp 03/ground_truth/ko/1.bmp",
    )
    dataset = open_dataset(root)
    assert (dataset.name, dataset.classes) == ("BTAD", ("01", "02", "03"))
    assert [(i.label, i.kind) for i in dataset.items] == [(0, "good"), (1, "ko")] * 3
    assert [i.mask.name for i in dataset.items if i.mask] == ["1.png", "1.png", "1.bmp"]


VISA_CSV = """object,split,label,image,mask
candle,train,normal,candle/Data/Images/Normal/0000.JPG,
candle,test,normal,candle/Data/Images/Normal/0001.JPG,
candle,test,anomaly,candle/Data/Images/Anomaly/000.JPG,candle/Data/Masks/Anomaly/000.png
"""


def test_visa_by_its_split_file(tmp_path: Path, put) -> None:
    names = "Images/Normal/0000.JPG Images/Normal/0001.JPG Images/Anomaly/000.JPG Masks/Anomaly/000.png"
    root = tree(tmp_path / "VisA_20220922", put, " ".join(f"candle/Data/{name}" for name in names.split()))
    (root / "split_csv").mkdir()
    (root / "split_csv/1cls.csv").write_text(VISA_CSV)
    (root / "candle/image_anno.csv").write_text("image,label,mask\n")
    dataset = open_dataset(root)
    assert dataset.name == "VisA"
    assert facts(dataset) == {
        ("candle/Data/Images/Normal/0001.JPG", None, 0, "candle", "good"),
        ("candle/Data/Images/Anomaly/000.JPG", "candle/Data/Masks/Anomaly/000.png", 1, "candle", "anomaly"),
    }
    assert len(open_dataset(root, split="train").items) == 1


def test_visa_rearranged(tmp_path: Path, put) -> None:
    root = tree(
        tmp_path / "visa_pytorch",
        put,
        "1cls/pcb1/train/good/0.JPG 1cls/pcb1/test/good/1.JPG 1cls/pcb1/test/bad/000.JPG "
        "1cls/pcb1/ground_truth/bad/000.png",
    )
    dataset = open_dataset(root)
    assert (dataset.name, dataset.classes, len(dataset.items)) == ("VisA", ("pcb1",), 2)


def test_sdd_as_published_reads_labels_from_the_masks(tmp_path: Path, put) -> None:
    root = tree(
        tmp_path / "download",
        put,
        "kos01/Part0.jpg kos01/Part0_label.bmp! kos01/Part1.jpg kos01/Part1_label.bmp kos02/Part0.jpg",
    )
    dataset = open_dataset(root)
    assert (dataset.name, dataset.classes) == ("SDD", ("electrical commutators",))
    assert facts(dataset) == {
        ("kos01/Part0.jpg", None, 0, "electrical commutators", "good"),
        ("kos01/Part1.jpg", "kos01/Part1_label.bmp", 1, "electrical commutators", "anomaly"),
    }
    assert "kos02/Part0.jpg" in " ".join(dataset.problems)


def test_sdd_rearranged(tmp_path: Path, put) -> None:
    inner = "electrical commutators"
    root = tmp_path / "SDD"
    for name in ("test/good/a.jpg", "test/bad/b.jpg", "ground_truth/bad/b_label.bmp"):
        put(root / inner / name)
    assert open_dataset(root).items[1].mask == root / inner / "ground_truth/bad/b_label.bmp"


def test_dagm(tmp_path: Path, put) -> None:
    root = tree(
        tmp_path / "DAGM_KaggleUpload",
        put,
        "Class10/Test/0001.PNG Class10/Test/0002.PNG Class10/Test/Label/0002_label.PNG "
        "Class2/Train/0001.PNG Class2/Train/Label/0001_label.PNG Class2/Test/0001.PNG Class2/Test/0003.PNG "
        "Class2/Test/Label/0003_label.PNG",
    )
    (root / "Class2/Test/Label/Labels.txt").write_text("1")
    dataset = open_dataset(root)
    assert (dataset.name, dataset.classes) == ("DAGM", ("Class2", "Class10"))
    assert [item.label for item in dataset.items] == [0, 1, 0, 1]
    assert dataset.items[3].mask == root / "Class10/Test/Label/0002_label.PNG"
    assert [item.label for item in open_dataset(root, split="train").items] == [1]


@pytest.mark.parametrize("name", ["mpdd", "dtd"])
def test_relatives_of_mvtec(tmp_path: Path, put, name: str) -> None:
    known = find_known(name)
    for class_name in known.classes:
        for file in ("test/good/0.png", "test/bad/1.png", "ground_truth/bad/1_mask.png"):
            put(tmp_path / "x" / class_name / file)
    dataset = open_dataset(tmp_path / "x")
    assert dataset.name == known.name
    assert set(dataset.classes) == set(known.classes)


def test_headct_by_its_numbers(tmp_path: Path, put) -> None:
    root = tree(tmp_path / "any", put, "head_ct/head_ct/000.png head_ct/head_ct/001.png head_ct/head_ct/002.png")
    (root / "labels.csv").write_text("id, hemorrhage\n0,1\n1,0\n7,1\n")
    dataset = open_dataset(root)
    assert (dataset.name, dataset.levels) == ("HeadCT", {"image"})
    assert [(i.image.name, i.label) for i in dataset.items] == [("000.png", 1), ("001.png", 0)]
    assert len(dataset.problems) == 2  # number 7 has no image, image 2 no label
    (root / "labels.csv").write_text("id, hemorrhage\n0,maybe\n")
    with pytest.raises(InputError, match=r"labels\.csv, line 2"):
        open_dataset(root)


def test_headct_rearranged(tmp_path: Path, put) -> None:
    root = tree(tmp_path / "HeadCT_anomaly_detection", put, "brain/test/good/0.png brain/test/anomaly/1.png")
    dataset = open_dataset(root)
    assert (dataset.name, dataset.levels) == ("HeadCT", {"image"})
    assert not any(item.has_mask for item in dataset.items)


def test_brainmri_counts_its_duplicates_once(tmp_path: Path, put) -> None:
    files = "no/N1.jpg yes/Y1.jpg yes/Y2.JPG"
    root = tree(tmp_path / "BrainMRI", put, files)
    tree(root / "brain_tumor_dataset", put, files)
    dataset = open_dataset(root)
    assert (dataset.name, [i.label for i in dataset.items], dataset.classes) == ("BrainMRI", [0, 1, 1], ("brain",))


def test_br35h_leaves_predictions_out(tmp_path: Path, put) -> None:
    root = tree(tmp_path / "Br35H", put, "no/no0.jpg yes/y0.jpg pred/pred0.jpg Br35H-Mask-RCNN/TRAIN/y0.jpg")
    dataset = open_dataset(root)
    assert len(dataset.items) == 2
    assert "pred" in dataset.problems[0]


@pytest.mark.parametrize("inner", ["", "images/"])
@pytest.mark.parametrize("normal", ["NORMAL", "Normal"])
def test_covid_takes_no_lung_mask_for_an_image(tmp_path: Path, put, inner: str, normal: str) -> None:
    root = tree(
        tmp_path / "COVID-19_Radiography_Dataset",
        put,
        f"{normal}/{inner}N-1.png COVID/{inner}C-1.png COVID/masks/C-1.png",
    )
    put(root / "Viral Pneumonia" / inner / "V-1.png")
    dataset = open_dataset(root)
    assert facts(dataset) == {
        (f"{normal}/{inner}N-1.png", None, 0, "chest", "good"),
        (f"COVID/{inner}C-1.png", None, 1, "chest", "COVID"),
    }
    assert "Viral Pneumonia" in dataset.problems[0]


@pytest.mark.parametrize(
    ("folder", "files", "class_name"),
    [
        ("ISIC", "ISBI2016_ISIC_Part1_Test_Data/a.jpg ISBI2016_ISIC_Part1_Test_GroundTruth/a_Segmentation.png", "skin"),
        ("ISBI", "skin/test/bad/a.jpg skin/ISBI2016_ISIC_Part1_Test_GroundTruth/a_Segmentation.png", "skin"),
        ("CVC-ColonDB", "images/1.png masks/1.png", "colon"),
        ("CVC-ClinicDB", "Original/1.tif Ground~Truth/1.tif", "colon"),
        ("Kvasir-SEG", "images/c.jpg masks/c.jpg", "colon"),
        ("EndoTect_2020_Segmentation_Test_Dataset", "images/e.jpg masks/e.png", "colon"),
        ("tn3k", "test-image/0.jpg test-mask/0.jpg trainval-image/1.jpg trainval-mask/1.jpg", "thyroid"),
    ],
)
def test_medical_sets_of_anomalous_images(tmp_path: Path, put, folder: str, files: str, class_name: str) -> None:
    for name in files.split():
        put(tmp_path / folder / name.replace("~", " "))
    dataset = open_dataset(tmp_path / folder)
    assert dataset.name == find_known(folder).name
    assert (dataset.classes, dataset.levels, len(dataset.items)) == ((class_name,), {"pixel"}, 1)
    assert dataset.items[0].mask is not None
    assert not dataset.problems


def test_masks_of_medical_sets_pair_by_name(tmp_path: Path, put) -> None:
    root = tree(tmp_path / "kvasir", put, "images/b.jpg images/c.jpg masks/a.jpg masks/b.jpg")
    with pytest.raises(InputError, match=r"1 of 2 anomalous images have no mask: images/c\.jpg"):
        open_dataset(root)
    dataset = open_dataset(root, missing_masks="image-only")
    assert [(i.image.name, i.mask and i.mask.name, i.has_mask) for i in dataset.items] == [
        ("b.jpg", "b.jpg", True),
        ("c.jpg", None, False),
    ]
    assert any("a.jpg" in line for line in dataset.problems)
