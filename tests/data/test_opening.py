"""Plain folders, CSV, meta.json: what is accepted, what is refused, and how clearly."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from anomalyclip.data import open_dataset, write_meta
from anomalyclip.data.folder_names import MASK_FOLDERS, doubtful, good_folders, is_neither
from anomalyclip.data.pairing import CONVENTIONS, pair
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.io.scanning import is_litter

NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1)
NAMES = NAMES.filter(lambda name: len(name.encode()) < 80 and not name.startswith(".") and name.strip(" .") == name)


def plain(root: Path, put) -> Path:
    for name in ("good/a.png", "scratch/b.png", "scratch/c d.e.PNG"):
        put(root / name)
    return root


def test_a_plain_folder(tmp_path: Path, put) -> None:
    dataset = open_dataset(plain(tmp_path / "part", put))
    assert (dataset.classes, dataset.levels) == (("part",), {"image"})
    assert [(i.label, i.kind, i.has_mask) for i in dataset.items] == [
        (0, "good", False),
        (1, "scratch", False),
        (1, "scratch", False),
    ]
    with pytest.raises(InputError, match="no train split"):
        open_dataset(tmp_path / "part", split="train")


@pytest.mark.parametrize("inner", ["scratch/", ""])
def test_a_plain_folder_with_masks_by_kind_or_all_together(tmp_path: Path, put, inner: str) -> None:
    root = plain(tmp_path / "part", put)
    put(root / f"ground_truth/{inner}b_mask.png")
    put(root / f"ground_truth/{inner}c d.e_mask.tif")
    dataset = open_dataset(root)
    assert dataset.levels == {"image", "pixel"}
    assert all(item.has_mask for item in dataset.items)
    assert [i.mask.name for i in dataset.items if i.mask] == ["b_mask.png", "c d.e_mask.tif"]


def test_several_plain_classes(tmp_path: Path, put) -> None:
    plain(tmp_path / "one", put)
    put(tmp_path / "two/good/x.png")
    dataset = open_dataset(tmp_path)
    assert dataset.classes == ("one", "two")
    assert dataset.problems == ("class two has no anomalous images: nothing can be measured on it",)
    assert [i.image.name for i in dataset.of_class("two")] == ["x.png"]


def test_a_missing_mask_is_never_a_black_one(tmp_path: Path, put) -> None:
    root = plain(tmp_path / "part", put)
    put(root / "ground_truth/scratch/b_mask.png")
    with pytest.raises(InputError, match=r"c d\.e\.PNG.*image-only"):
        open_dataset(root)
    last = open_dataset(root, missing_masks="image-only").items[-1]
    assert (last.mask, last.has_mask, last.label) == (None, False, 1)


def test_stray_files_are_told(tmp_path: Path, put) -> None:
    root = plain(tmp_path / "part", put)
    put(root / "loose.png")
    (root / "scratch/notes.txt").write_text("x")
    (root / "scratch/.hidden.png").write_text("x")
    (root / "empty").mkdir()
    lines = "\n".join(open_dataset(root).problems)
    assert len(open_dataset(root).items) == 3
    for name in ("loose.png", "notes.txt", "empty"):
        assert name in lines
    assert "hidden" not in lines


@given(stems=st.lists(NAMES, min_size=1, max_size=5, unique_by=str.casefold), ending=st.sampled_from(CONVENTIONS))
def test_pairing_finds_every_mask_by_name(stems: list[str], ending: str) -> None:
    clash = {s.casefold() + e for s in stems for e in CONVENTIONS if e} & {s.casefold() for s in stems}
    if clash:
        return
    images = [Path("images", f"{stem}.JPG") for stem in stems]
    masks = [Path("masks", f"{stem}{ending.upper()}.png") for stem in reversed(stems)]
    found = pair(images, masks)
    assert {image.stem: mask.stem for image, mask in found.masks.items()} == {s: s + ending.upper() for s in stems}
    assert not found.leftover


def test_pairing_of_images_that_end_like_masks() -> None:
    images = [Path("x.png"), Path("x_mask.png")]
    assert pair(images, [Path("m/x.png"), Path("m/x_mask.png")]).masks == {
        images[0]: Path("m/x.png"),
        images[1]: Path("m/x_mask.png"),
    }
    assert pair([Path("a.png")], [Path("b.png")]).masks == {}


@settings(max_examples=20, deadline=None)
@given(
    name=NAMES,
    kind=NAMES.filter(
        lambda n: (
            not (good_folders([n]) or is_neither(n) or doubtful(n) or is_litter(n)) and n.casefold() not in MASK_FOLDERS
        )
    ),
)
def test_meta_round_trip_of_any_name(put, name: str, kind: str) -> None:
    if is_litter(f"{name}.png"):
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve() / "set"
        put(root / "class 1/test/good/n.png")
        put(root / "class 1/test" / kind / f"{name}.png")
        put(root / "class 1/ground_truth" / kind / f"{name}_mask.png")
        before = open_dataset(root)
        write_meta(root / "meta.json", before)
        after = open_dataset(root)
        assert after == before
        assert after.items[1].kind == kind
        text = (root / "meta.json").read_text()
        assert folder not in text
        assert "\\\\" not in text


def write(root: Path, **entry: object) -> Path:
    content = {"img_path": "a.png", "mask_path": "", "cls_name": "x", "specie_name": "", "anomaly": 1, **entry}
    root.mkdir(exist_ok=True)
    (root / "meta.json").write_text(json.dumps({"Test": {"x": [content]}}))
    return root


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", "a/../../b.png", "C:\\x\\a.png", "..\\a.png", ".", "a\0b"]
)
@pytest.mark.parametrize("key", ["img_path", "mask_path"])
def test_meta_paths_stay_inside(tmp_path: Path, put, path: str, key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "set/a.png")
    put(tmp_path / "a.png")
    put(tmp_path / "b.png")
    write(tmp_path / "set", **{key: path})
    with pytest.raises(InputError, match=r"meta\.json: test, class 'x', entry 1"):
        open_dataset(tmp_path / "set")
    monkeypatch.chdir(tmp_path / "set")  # a relative root must not weaken the rule
    with pytest.raises(InputError, match="entry 1"):
        open_dataset("meta.json")


def test_meta_of_windows_and_absolute_inside(tmp_path: Path, put) -> None:
    put(tmp_path / "set/d/a.png")
    assert open_dataset(write(tmp_path / "set", img_path="d\\a.png")).items[0].image == tmp_path / "set/d/a.png"
    absolute = str(tmp_path / "set/d/a.png")
    assert open_dataset(write(tmp_path / "set", img_path=absolute)).items[0].image == Path(absolute)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"test":\n {"x": [}}', r"meta\.json, line 2"),
        ("[" * 100_000, "meta.json"),
        ("[]", "expected"),
        ('{"train": {}}', "found 'train'"),
        ('{"test": {"x": 3}}', "class 'x'"),
        ('{"test": {"x": [3]}}', "entry 1"),
        ('{"test": {"x": [{"img_path": 3, "anomaly": 1}]}}', "img_path must be text"),
        ('{"test": {"x": [{"img_path": "a.png", "anomaly": 2}]}}', "anomaly must be 0 or 1"),
        ('{"test": {"x": [{"img_path": "a.png", "anomaly": []}]}}', "anomaly must be 0 or 1"),
        ('{"test": {"x": []}}', "no images"),
    ],
)
def test_damaged_meta(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    with pytest.raises(InputError, match=message):
        open_dataset(tmp_path)


def test_csv(tmp_path: Path, put) -> None:
    for name in ("a.png", "b.png", "m.png"):
        put(tmp_path / name)
    (tmp_path / "list.csv").write_bytes(
        "\ufeffImage;Mask;Label;Class\na.png;;good;ä\n\nb.png;m.png;1;ä\nno.png;;0;ä\n".encode()
    )
    for path in (tmp_path, tmp_path / "list.csv"):
        dataset = open_dataset(path)
        assert [(i.label, i.class_name, i.has_mask) for i in dataset.items] == [(0, "ä", True), (1, "ä", True)]
        assert "no.png" in dataset.problems[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"image,label\na.png,1,2\n", "line 2: 3 fields"),
        (b"image,label\na.png,0\na.png,odd\n", "line 3: unknown label 'odd'"),
        (b"image,label\n../x.png,0\n", "line 2: the path '../x.png' leads outside"),
        (b"image,label,mask\na.png,1,/etc/passwd\n", "line 2.*outside"),
        (b"image,class\na.png,wood\n", "line 1: expected the columns image, label"),
        (b'image,label\n"a.png,0\n', "not valid CSV"),
        (
            b"image,label\n\xff.png,0\n",
            "none of the 1 listed images exists, such as ÿ.png; the folder holds 1 images",
        ),
    ],
)
def test_damaged_csv(tmp_path: Path, put, text: bytes, message: str) -> None:
    put(tmp_path / "a.png")
    (tmp_path / "list.csv").write_bytes(text)
    with pytest.raises(InputError, match=message):
        open_dataset(tmp_path / "list.csv")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Looked for: meta\.json; or <class>/test.*columns image and label"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="MVTec AD in"):
        open_dataset(tmp_path, name="mvtec")
    with pytest.raises(InputError, match="addresses are not opened: download it"):
        open_dataset("https://example.org/data")
    with pytest.raises(InputError, match="there is no data set"):
        open_dataset(tmp_path / "x")
    with pytest.raises(InputError, match=r"cannot read|there is no data set"):
        open_dataset("a\0b")
    with pytest.raises(ConfigError, match="split"):
        open_dataset(tmp_path, split="val")


@pytest.mark.parametrize("kind", ["meta.json", "labels.csv"])
@pytest.mark.parametrize("link", ["file", "folder"])
def test_links_that_leave_the_set_are_refused(tmp_path: Path, kind: str, link: str) -> None:
    root, outside = tmp_path / "set", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    Image.new("RGB", (8, 8)).save(outside / "secret.png")
    (root / "in").symlink_to(outside) if link == "folder" else (root / "in").mkdir()
    if link == "file":
        (root / "in/secret.png").symlink_to(outside / "secret.png")
    entry = {"img_path": "in/secret.png", "mask_path": "", "cls_name": "x", "specie_name": "good", "anomaly": 0}
    text = json.dumps({"test": {"x": [entry]}}) if kind == "meta.json" else "image,label\nin/secret.png,0\n"
    (root / kind).write_text(text)
    with pytest.raises(InputError, match="link that leads outside"):
        open_dataset(root / kind)
    (root / "real.png").write_bytes((outside / "secret.png").read_bytes())
    (root / "same.png").symlink_to("real.png")  # a link within the set is as good as the file
    (root / kind).write_text(text.replace("in/secret.png", "same.png"))
    assert open_dataset(root / kind).items[0].image == root / "same.png"


@pytest.mark.parametrize(
    ("normal", "refused"), [("OK", ""), ("good", ""), ("A", "which of its classes is normal (A, AK)")]
)
def test_real_iads_json_that_names_no_normal_class(tmp_path, normal, refused):
    """Training pictures of its folders are not tested, whatever the file leaves out."""
    for name in (f"{normal}/0.png", f"{normal}/1.png", "NG/2.png"):
        place = tmp_path / "nut" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(place)
    rows = [{"anomaly_class": kind, "image_path": name} for kind, name in
            ((normal, f"{normal}/0.png"), (normal, f"{normal}/1.png"), ("AK", "NG/2.png"))]  # fmt: skip
    (tmp_path / "nut.json").write_text(json.dumps({"meta": {"prefix": "nut/"}, "train": rows[:1], "test": rows[1:]}))
    if refused:
        with pytest.raises(InputError, match=re.escape(refused)):
            open_dataset(tmp_path)
        return
    dataset = open_dataset(tmp_path, missing_masks="image-only")
    assert [(item.image.name, item.label) for item in dataset.items] == [("1.png", 0), ("2.png", 1)]
    assert f"nut.json names no normal_class: {normal} is taken for it" in dataset.notes
