"""Stand-ins in the real layouts, read back by the readers that read the real sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.cli.data import app
from anomalyclip.data import KNOWN, check_dataset, is_standin, make_standin, open_dataset, recognise
from anomalyclip.data.standins import STYLES
from anomalyclip.data.synthetic import render
from anomalyclip.errors import ConfigError, InputError, OutputError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All 17 with at most 3 classes of 4 pictures, 32 pixels wide."""
    folder = tmp_path_factory.mktemp("standins")
    for name in KNOWN:
        make_standin(folder, name, 4, classes=3, size=32)
    return folder


@pytest.mark.parametrize("name", list(KNOWN))
def test_the_readers_find_what_was_rendered(root: Path, name: str) -> None:
    known, folder = KNOWN[name], root / STYLES[name].folder
    found = recognise(folder)
    assert found is not None
    assert found.name == name
    assert is_standin(folder)
    dataset = open_dataset(folder)
    assert set(dataset.classes) == set(known.classes[:3])
    assert dataset.levels == known.levels
    for class_name in dataset.classes:
        labels = [item.label for item in dataset.of_class(class_name)]
        assert sorted(labels) == ([0, 0, 1, 1] if "image" in known.levels else [1, 1, 1, 1])
    with_masks = [item for item in dataset.items if item.mask is not None]
    assert len(with_masks) == (sum(i.label for i in dataset.items) if "pixel" in known.levels else 0)
    assert not check_dataset(dataset).problems


def test_pictures_and_masks_come_from_one_render(root: Path) -> None:
    """MVTec AD is first of the table: seed 0, class 1 (cable), picture 2 is the render (0 << 32) | (1 << 16) | 2."""
    expected = render((1 << 16) | 2, 32, anomalous=True, families=["cable"])
    folder = root / STYLES["MVTec AD"].folder / "cable"
    assert np.array_equal(np.asarray(Image.open(folder / "test/defect/002.png")), expected.image)
    mask = np.asarray(Image.open(folder / "ground_truth/defect/002_mask.png"))
    assert np.array_equal(mask, (expected.labels > 0) * 255)
    assert mask.any()


def test_layouts_have_the_quirks_of_the_real_ones(root: Path) -> None:
    assert (root / "BTech_Dataset_transformed/01/test/ko/000.bmp").is_file()
    assert (root / "BTech_Dataset_transformed/01/ground_truth/ko/000.png").is_file()
    assert (root / "BTech_Dataset_transformed/03/ground_truth/ko/000.bmp").is_file()
    assert (root / "VisA_20220922/split_csv/1cls.csv").read_text().startswith("object,split,label,image,mask\n")
    assert not np.asarray(Image.open(root / "KolektorSDD/kos01/Part1_label.bmp")).any()
    assert (root / "DAGM_KaggleUpload/Class1/Test/Label/0001_label.PNG").is_file()
    assert (root / "ISIC2016/ISBI2016_ISIC_Part1_Test_GroundTruth/0000_Segmentation.png").is_file()


def test_more_pictures_and_other_options(tmp_path: Path) -> None:
    folder = make_standin(tmp_path, "btad", 2, size=32)
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.suffix != ".json"}
    with pytest.raises(OutputError, match="--resume"):
        make_standin(tmp_path, "btad", 4, size=32)
    make_standin(tmp_path, "btad", 4, size=32, resume=True)
    assert all(path.read_bytes() == content for path, content in before.items())
    assert len(open_dataset(folder).items) == 12
    with pytest.raises(InputError, match="same options"):
        make_standin(tmp_path, "btad", 4, size=48, resume=True)
    with pytest.raises(ConfigError, match="per_class 1 is out of range"):
        make_standin(tmp_path, "btad", 1)
    with pytest.raises(InputError, match="unknown data set"):
        make_standin(tmp_path, "imagenet")


def test_command(tmp_path: Path) -> None:
    options = ["--layout", "tn3k, headct", "--per-class", "2", "--size", "32"]
    result = CliRunner().invoke(app, ["make", str(tmp_path), *options])
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head-ct-hemorrhage", "tn3k"]
    both = CliRunner().invoke(app, ["make", str(tmp_path), "--layout", "tn3k", "--families", "wood"])
    assert isinstance(both.exception, ConfigError)
