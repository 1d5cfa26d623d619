"""Every form of truth about a folder of pictures in one list: the table in docs/data.md is made of it, and each row is
written and read here.

`python -m tests.data.test_documented` writes the table anew.
"""

# One row, one line.
# ruff: noqa: E501

from __future__ import annotations

import base64
import io
import json
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import tifffile
from PIL import Image
from pycocotools import mask as coco_mask
from pydicom.uid import SegmentationStorage
from tests.io.writers import dicom
from tests.tables import page_with

from anomalyclip.data import check_dataset, open_dataset
from anomalyclip.data.masks import read_marked
from anomalyclip.errors import InputError

PAGE = Path(__file__).parents[2] / "docs" / "data.md"
START, END = "<!-- forms: made by tests/data/test_documented.py -->", "<!-- end of forms -->"
WIDTH, HEIGHT = 24, 18
#: A person found that good/2.png is bad, and only the list knows.
ROWS = (("good/0.png", 0), ("good/1.png", 0), ("good/2.png", 1), ("bad/0.png", 1), ("bad/1.png", 1))
SQUARE = [4, 3, 14, 3, 14, 9, 4, 9]  # 10 x 6 pixels, whose corners lie on corners of pixels
TRUTH = np.zeros((HEIGHT, WIDTH), bool)
TRUTH[3:9, 4:14] = True
Files = dict[str, "bytes | str"]


class Form(NamedTuple):
    """A row: which kind, what it is called, the files; becomes: (normal, anomalous) images, or the words that refuse
    them. told: words among the problems. marked: pixels that the first anomalous image has marked, where it has.
    noted: words that checking the masks adds to problems or notes."""

    kind: str
    name: str
    files: Files
    becomes: tuple[int, int] | str
    told: str = ""
    marked: np.ndarray | None = None
    noted: str = ""


def picture(values: np.ndarray | None = None, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), 90, np.uint8) if values is None else values).save(buffer, kind)
    return buffer.getvalue()


NOISE = picture(np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH, 3), dtype=np.uint8))
PHOTO, JPEG, MASK, BLACK = (
    picture(),
    picture(kind="JPEG"),
    picture(TRUTH.astype(np.uint8) * 255),
    picture(np.zeros((HEIGHT, WIDTH), np.uint8)),
)


def listed(
    head: str, row: str, encoding: str = "utf-8", name: str = "list.csv", end: str = "\r\n", rows: tuple = ROWS
) -> Files:
    """Pictures in good/ and bad/ beside a list; row: {0} the path, {1} the label, {2} the other label, {w} with \\."""
    lines = [row.format(path, label, 1 - label, w=path.replace("/", "\\")) for path, label in rows]
    files: Files = {path: PHOTO for path, _ in rows}
    return files | {name: end.join([*([head] if head else []), *lines, ""]).encode(encoding)}


REAL_IAD: Files = {f"nut/OK/S1/{n}.jpg": JPEG for n in (0, 2)} | {"nut/NG/AK/1.jpg": JPEG, "nut/NG/AK/1.png": MASK}


def splits(*tested: str) -> str:
    """Real-IAD's JSON of class nut: one normal picture to train on, `tested` and an anomalous one in the test split."""

    def entry(image: str, kind: str = "OK", mask: str | None = None) -> dict[str, str | None]:
        return {"category": "nut", "anomaly_class": kind, "image_path": image, "mask_path": mask}

    test = [*map(entry, tested), entry("NG/AK/1.jpg", "AK", "NG/AK/1.png")]
    return json.dumps({"meta": {"normal_class": "OK", "prefix": "nut/"}, "train": [entry("OK/S1/0.jpg")], "test": test})


def pair(**files: bytes | str) -> Files:
    """a.png and b.png beside further files, whose dots and slashes are written as in Python: x_json, ann__x_json."""
    named = {name.replace("__", "/").replace("_", "."): content for name, content in files.items()}
    return {"a.png": PHOTO, "b.png": PHOTO, **named}


def coco(segmentation: object, name: str = "scratch", folder: str = "", **entry: object) -> str:
    images = [{"id": n, "file_name": f"{folder}{c}.png", "width": WIDTH, "height": HEIGHT} for n, c in enumerate("ab")]
    annotation = {"id": 1, "image_id": 0, "category_id": 7, "segmentation": segmentation, **entry}
    return json.dumps({"images": images, "annotations": [annotation], "categories": [{"id": 7, "name": name}]})


def runs(compressed: bool) -> dict:
    if compressed:
        found = coco_mask.encode(np.asfortranarray(TRUTH.astype(np.uint8)))
        return {"size": found["size"], "counts": found["counts"].decode()}
    changes = np.flatnonzero(np.diff(TRUTH.T.ravel().astype(int), prepend=0)).tolist()
    return {"size": [HEIGHT, WIDTH], "counts": np.diff([0, *changes, TRUTH.size]).tolist()}


def masked(mask: bytes, suffix: str = "png") -> Files:
    return {"good/0.png": PHOTO, "bad/1.png": PHOTO, f"ground_truth/bad/1.{suffix}": mask}


def numbered(values: np.ndarray) -> bytes:
    image, buffer = Image.fromarray(values.astype(np.uint8), "P"), io.BytesIO()
    image.putpalette([0, 0, 0] * 2)
    image.save(buffer, "PNG")
    return buffer.getvalue()


def one_bit(values: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values)
    return buffer.getvalue()


def kaggle(marked: np.ndarray) -> str:
    """First pixels, from 1, and lengths, down the columns."""
    changes = np.flatnonzero(np.diff(marked.T.ravel().astype(int), prepend=0, append=0))
    return " ".join(f"{start + 1} {end - start}" for start, end in changes.reshape(-1, 2))


def labelme(kind: str, points: object, label: str = "scratch", mask: str = "", **entry: object) -> str:
    shape = {"label": label, "points": points, "shape_type": kind} | ({"mask": mask} if mask else {})
    return json.dumps({"shapes": [shape], "imagePath": "a.png", "imageWidth": WIDTH, "imageHeight": HEIGHT, **entry})


def embedded(marked: np.ndarray) -> str:
    return base64.b64encode(picture(marked)).decode()


def cvat(body: str) -> str:
    image = '<image id="{}" name="{}.png" width="24" height="18">{}</image>'
    return f"<annotations>{image.format(0, 'a', body)}{image.format(1, 'b', '')}</annotations>"


def halves(*splits: str) -> Files:
    """As COCO itself is laid out: pictures of the splits in folders of their own, what is marked in another."""
    told = {f"annotations/instances_{one}.json": coco([SQUARE]) for one in splits}
    return {f"{one}/{name}.png": PHOTO for one in splits for name in "ab"} | told


def split(content: str) -> Files:
    return {f"{phase}/{name}": PHOTO for phase in ("train", "test") for name in ("a.png", "b.png")} | {
        f"{phase}/_annotations.coco.json": content for phase in ("train", "test")
    }


LEFT, RIGHT = TRUTH.copy(), TRUTH.copy()
LEFT[:, 9:], RIGHT[:, :9] = False, False
HALVES = tuple(picture(half.astype(np.uint8) * 255) for half in (LEFT, RIGHT))
MARKS = {"pictures/a.png": PHOTO, "pictures/b.png": PHOTO}
CHINESE = (("良好/甲.png", 0), ("良好/乙.png", 0), ("划痕/丙.png", 1))
SOFT = np.where(TRUTH, 255, 0).astype(np.uint8)
SOFT[3:9, 3], SOFT[3:9, 14] = 80, 170
CORNERS = [[4, 3], [14, 3], [14, 9], [4, 9]]
ACCENTS = tuple((path.replace("/", "/müll"), label) for path, label in ROWS)
POINTS = "4,3;14,3;14,9;4,9"
ONE_BAD = {f"good/{n}.png": PHOTO for n in range(2)} | {"bad/0.png": PHOTO}
FORMS = (
    Form("folders", "good/ and a defect's", ONE_BAD, (2, 1)),
    Form("folders", "MVTec AD", {"part/test/good/0.png": PHOTO, "part/test/bad/0.png": PHOTO, "part/ground_truth/bad/0_mask.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "MVTec LOCO, two masks of one picture", {"p/test/good/0.png": PHOTO, "p/test/logical_anomalies/0.png": PHOTO, "p/ground_truth/logical_anomalies/0/000.png": MASK, "p/ground_truth/logical_anomalies/0/001.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "BMAD", {"test/good/img/0.png": PHOTO, "test/Ungood/img/1.png": PHOTO, "test/Ungood/label/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "BMAD without the masks of its faulty pictures", {"test/good/img/0.png": PHOTO, "test/good/label/0.png": BLACK, "test/Ungood/img/1.png": PHOTO}, "1 of 1 anomalous images have no mask: test/Ungood/img/1.png"),
    Form("folders", "some classes of DAGM: Class7/Test/ and Label/ in it", {"Class7/Test/1.PNG": PHOTO, "Class7/Test/2.PNG": PHOTO, "Class7/Test/Label/1_label.PNG": MASK, "Class7/Train/3.PNG": PHOTO}, (1, 1), marked=TRUTH),
    Form("folders", "a class of DAGM alone, or in a folder of its own name", {**{f"Class1/Class1/{split}/{n}.PNG": PHOTO for split in ("Train", "Test") for n in (1, 2)}, "Class1/Class1/Test/Label/1_label.PNG": MASK, "Class1/Class1/Train/Label/2_label.PNG": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "DAGM, a class without faults beside others", {**{f"Class{k}/Test/{n}.PNG": PHOTO for k in (1, 2) for n in (1, 2)}, "Class1/Test/Label/1_label.PNG": MASK}, (3, 1), "Class2 has no anomalous images", marked=TRUTH),
    Form("folders", "DAGM, a mask missing that Labels.txt tells of", {**{f"Class1/Test/{n}.PNG": PHOTO for n in (1, 2, 3)}, "Class1/Test/Label/1_label.PNG": MASK, "Class1/Test/Label/Labels.txt": "1\r\n" + "\r\n".join(f"{n}\t{flag}\t{n}.PNG\t{flag}\t{f'{n}_label.PNG' if flag else 0}" for n, flag in ((1, 1), (2, 1), (3, 0)))}, "1 of 2 anomalous images have no mask: Class1/Test/2.PNG"),
    Form("folders", "DAGM, a mask of a picture that Labels.txt calls free", {**{f"Class1/Test/{n}.PNG": PHOTO for n in (1, 2)}, "Class1/Test/Label/1_label.PNG": MASK, "Class1/Test/Label/Labels.txt": "1 0 1.PNG 0 0\n2 0 2.PNG 0 0\n"}, (1, 1), "that Labels.txt calls free of faults (the mask counts): Class1/Test/1.PNG", marked=TRUTH),
    Form("folders", "KolektorSDD2", {"test/1.png": PHOTO, "test/1_GT.png": MASK, "test/2.png": PHOTO, "test/2_GT.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "a folder of each patient, NAME_mask beside NAME (LGG-MRI)", {f"kaggle_3m/TCGA_{patient}/{patient}_{n}.png": PHOTO for patient in (1, 2) for n in (1, 2)} | {f"kaggle_3m/TCGA_{patient}/{patient}_{n}_mask.png": MASK if (patient, n) == (2, 2) else BLACK for patient in (1, 2) for n in (1, 2)}, (3, 1), marked=TRUTH),
    Form("folders", "the same twice, as an archive has it", {f"{place}p/{n}.png": PHOTO for place in ("", "more/", "more/set/") for n in "a"} | {f"{place}p/{n}_mask.png": MASK for place in ("", "more/", "more/set/") for n in "a"}, "of one name and size: the pictures lie there twice"),
    Form("folders", "NAME.jpg beside its mask NAME.png in testdata/ and traindata/", {f"{split}data/{n}.jpg": JPEG for split in ("train", "test") for n in range(2)} | {f"{split}data/{n}.png": MASK for split in ("train", "test") for n in range(2)}, (0, 2), marked=TRUTH),
    Form("folders", "the same in testcrop/ and traincrop/ (Crack500 without its lists)", {f"{split}crop/{n}.jpg": JPEG for split in ("train", "test") for n in range(2)} | {f"{split}crop/{n}.png": MASK for split in ("train", "test") for n in range(2)}, "One lies a level deeper: testcrop, traincrop"),
    Form("folders", "a data set two levels deeper", {f"a/b/set/{path}": one for path, one in ONE_BAD.items()}, "One lies 2 levels deeper: a/b"),
    Form("folders", "image/ and groundTruth/ of MATLAB's files (CrackForest)", {"image/1.jpg": JPEG, "groundTruth/1.mat": b"MATLAB 5.0"}, "groundTruth/ with 1 files such as 1.mat, which are no pictures"),
    Form("folders", "one mask as NumPy's array", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "bad/2.png": PHOTO, "ground_truth/bad/1.png": MASK, "ground_truth/bad/2_mask.npy": b"\x93NUMPY"}, "ground_truth/bad/2_mask.npy is no picture: save it as PNG"),
    Form("folders", "images/ and mask/, and other masks beside them (DRIVE)", {f"test/{part}/{n}.png": {"images": PHOTO}.get(part, MASK) for part in ("images", "mask", "1st_manual") for n in range(2)}, (0, 2), "not used: test/1st_manual", marked=TRUTH),
    Form("folders", "images/ and masks/, one mask black", {"images/1.png": PHOTO, "images/2.png": PHOTO, "masks/1.png": MASK, "masks/2.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "MVTec AD 2", {"p/test_public/good/0.png": PHOTO, "p/test_public/bad/0.png": PHOTO, "p/test_public/ground_truth/bad/0_mask.png": MASK, "p/test_private/9.png": PHOTO, "p/validation/good/1.png": PHOTO}, (1, 1), "p/test_private", marked=TRUTH),
    Form("folders", "MVTec 3D: rgb/, gt/ and xyz/ of each kind", {f"p/test/{kind}/{place}/0.png": {"rgb": PHOTO, "xyz": PHOTO, "gt": {"good": BLACK}.get(kind, MASK)}[place] for kind in ("good", "hole") for place in ("rgb", "gt", "xyz")}, (1, 1), "p/test/hole/xyz", marked=TRUTH),
    Form("folders", "Real-IAD: NAME.jpg beside its mask NAME.png", {"OK/S1/0.jpg": JPEG, "NG/AK/S1/1.jpg": JPEG, "NG/AK/S1/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "NAME_mask.png among a defect's pictures", {"test/good/0.png": PHOTO, "test/bad/1.png": PHOTO, "test/bad/1_mask.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "two pictures of one name", {"good/0.png": PHOTO, "bad/1.jpg": JPEG, "bad/1.png": PHOTO}, (1, 2), "share their name with another"),
    Form("folders", "masks in test_masks/", {"test/good/0.png": PHOTO, "test/bad/1.png": PHOTO, "test_masks/bad/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "a folder of pictures that no layout knows", {"test/good/0.png": PHOTO, "test/bad/1.png": PHOTO, "truth/1.png": MASK}, (1, 1), "not used: truth"),
    Form("folders", "test_img/ and test_lab/", {"test_img/1.jpg": JPEG, "test_img/2.jpg": JPEG, "test_lab/1.png": MASK, "test_lab/2.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "ISIC2018_Task1-2_Test_Input/ and ISIC2018_Task1_Test_GroundTruth/", {f"ISIC2018_Task1-2_{split}_Input/ISIC_{n}.jpg": JPEG for split in ("Training", "Test") for n in range(2)} | {f"ISIC2018_Task1_{split}_GroundTruth/ISIC_{n}_segmentation.png": MASK if split == "Test" else BLACK for split in ("Training", "Test") for n in range(2)}, (0, 2), marked=TRUTH),
    Form("folders", "two folders that could hold the masks (ISIC's Task1 and Task2)", {"ISIC2018_Task1-2_Test_Input/1.jpg": JPEG, "ISIC2018_Task1_Test_GroundTruth/1.png": MASK, "ISIC2018_Task2_Test_GroundTruth/1.png": MASK}, "ISIC2018_Task1_Test_GroundTruth/ and ISIC2018_Task2_Test_GroundTruth/ could hold the masks"),
    Form("folders", "imagesTr/ and labelsTr/ (nnU-Net), no others with masks", {**{f"imagesTr/case_{n}_0000.png": PHOTO for n in range(2)}, "labelsTr/case_0.png": BLACK, "labelsTr/case_1.png": MASK, "dataset.json": '{"channel_names": {"0": "R"}, "labels": {"x": 1}, "numTraining": 2}'}, (1, 1), marked=TRUTH, noted="the train pictures are read as the test split, as no others have masks"),
    Form("folders", "nnU-Net, several channels of a picture", {**{f"imagesTs/case_0_000{n}.png": PHOTO for n in range(2)}, "labelsTs/case_0.png": MASK}, "case_0_0000.png, case_0_0001.png are channels of one picture"),
    Form("folders", "test/ and test_masks/ (Carvana)", {f"{split}/{n}.jpg": JPEG for split in ("train", "test") for n in range(2)} | {f"{split}_masks/{n}_mask.png": MASK if (split, n) == ("test", 1) else BLACK for split in ("train", "test") for n in range(2)}, (1, 1), marked=TRUTH),
    Form("folders", "testannot/ beside test/ (CamVid), and a folder of neither", {"test/0.png": PHOTO, "test/1.png": PHOTO, "testannot/0.png": BLACK, "testannot/1.png": MASK, "more/2.png": PHOTO}, (1, 1), "that are not used: more", marked=TRUTH),
    Form("folders", "image/ and groundTruth/", {"image/1.jpg": JPEG, "image/2.jpg": JPEG, "groundTruth/1.png": MASK, "groundTruth/2.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "Original/ and Ground Truth/", {"Original/1.jpg": JPEG, "Original/2.jpg": JPEG, "Ground Truth/1.png": MASK, "Ground Truth/2.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "Training Data/ and Testing Data/", {"Training Data/normal/0.jpg": JPEG, "Training Data/cracked/1.jpg": JPEG, "Testing Data/normal/2.jpg": JPEG, "Testing Data/cracked/3.jpg": JPEG}, (1, 1)),
    Form("folders", "test_set/images/ and test_set/masks/", {"train_set/images/0.jpg": JPEG, "train_set/masks/0.png": BLACK, "test_set/images/1.jpg": JPEG, "test_set/images/2.jpg": JPEG, "test_set/masks/1.png": MASK, "test_set/masks/2.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "healthy/ and leafspot/", {"test/healthy/0.png": PHOTO, "test/leafspot/1.png": PHOTO}, (1, 1)),
    Form("folders", "i.O./ and Kratzer/", {"i.O./0.png": PHOTO, "Kratzer/1.png": PHOTO}, (1, 1)),
    Form("folders", "正常/ and 划痕/", {"正常/0.png": PHOTO, "划痕/1.png": PHOTO}, (1, 1)),
    Form("folders", "no_defect/ and defect/", {"no_defect/0.png": PHOTO, "defect/1.png": PHOTO}, (1, 1)),
    Form("folders", "Negative/ and Positive/", {"Negative/0.png": PHOTO, "Positive/1.png": PHOTO}, (1, 1)),
    Form("folders", "no/, yes/ and pred/ (Br35H)", {"no/0.png": PHOTO, "yes/1.png": PHOTO, "pred/2.png": PHOTO}, (1, 1), "not used): pred"),
    Form("folders", "Negative/, Positive/ and masks/", {"Negative/0.png": PHOTO, "Positive/1.png": PHOTO, "masks/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "0/ and 1/", {"0/0.png": PHOTO, "1/1.png": PHOTO}, (1, 1)),
    Form("folders", "no_tumor/ and glioma_tumor/", {"no_tumor/0.png": PHOTO, "glioma_tumor/1.png": PHOTO}, (1, 1), noted="as normal, by its name: no_tumor"),
    Form("folders", "Apple___healthy/ and Apple___scab/ (PlantVillage)", {f"{plant}___{kind}/0.png": PHOTO for plant, kind in (("Apple", "healthy"), ("Apple", "scab"), ("Corn", "healthy"), ("Orange", "rot"))}, (2, 2)),
    Form("folders", "Gutteile/ and Schlechtteile/", {"Gutteile/0.png": PHOTO, "Schlechtteile/1.png": PHOTO}, (1, 1)),
    Form("folders", "bez wad/ and z wadami/", {"bez wad/0.png": PHOTO, "z wadami/1.png": PHOTO}, (1, 1)),
    Form("folders", "NonDemented/ and MildDemented/", {"NonDemented/0.png": PHOTO, "MildDemented/1.png": PHOTO}, (1, 1)),
    Form("folders", "class_0/ and class_1/", {"class_0/0.png": PHOTO, "class_1/1.png": PHOTO}, (1, 1)),
    Form("folders", "camera_0/ and camera_1/", {"camera_0/0.png": PHOTO, "camera_1/1.png": PHOTO}, "cannot find a data set"),
    Form("folders", "0/, 1/ and 2/", {f"{n}/0.png": PHOTO for n in range(3)}, "cannot find a data set"),
    Form("folders", "good/, good_2/ and Good (3)/", {"good/0.png": PHOTO, "good_2/0.png": PHOTO, "Good (3)/0.png": PHOTO, "bad/1.png": PHOTO}, (3, 1)),
    Form("folders", "ok_front/ beside ok/", {"ok/0.png": PHOTO, "ok_front/0.png": PHOTO, "def_front/1.png": PHOTO}, (1, 2), "a word for good: ok_front"),
    Form("folders", "heatmaps/ among the kinds", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "heatmaps/1.png": PHOTO}, (1, 1), "not used): heatmaps"),
    Form("folders", "backup/ and augmented/ among the kinds", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "backup/1.png": PHOTO, "augmented/1.png": PHOTO}, (1, 1), "not used): augmented, backup"),
    Form("folders", "masks in a folder of another name (truth/) among the kinds", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "truth/1.png": MASK}, (1, 1), "as masks have"),
    Form("folders", "unlabelled/ and unknown_2/ among the kinds", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "unlabelled/2.png": PHOTO, "unknown_2/3.png": PHOTO}, (1, 1), "nobody has judged"),
    Form("folders", "what drives and systems put there", {**ONE_BAD, "@eaDir/x.png": PHOTO, "bad/@eaDir/0.png/THUMB.jpg": JPEG, "__MACOSX/good/0.png": PHOTO, "bad/.ipynb_checkpoints/0.png": PHOTO}, (2, 1)),
    Form("folders", "masks/NAME/0.png and 1.png of one picture", {"images/0.png": PHOTO, "images/1.png": PHOTO, "masks/0/0.png": BLACK, "masks/1/0.png": HALVES[0], "masks/1/1.png": HALVES[1]}, (1, 1), marked=TRUTH),
    Form("folders", "train/ and val/", {"train/good/0.png": PHOTO, "val/good/0.png": PHOTO, "val/bad/1.png": PHOTO}, (1, 1)),
    Form("folders", "masks NAME_0 and NAME_1 of one picture", ONE_BAD | dict(zip(("ground_truth/bad/0_0.png", "ground_truth/bad/0_1.png"), HALVES, strict=True)), (2, 1), marked=TRUTH),
    Form("folders", "masks NAME_mask and NAME_mask_1 of one picture", ONE_BAD | dict(zip(("ground_truth/bad/0_mask.png", "ground_truth/bad/0_mask_1.png"), HALVES, strict=True)), (2, 1), marked=TRUTH),
    Form("folders", "BUSI: NAME_mask and NAME_mask_1 beside NAME", {"normal/n (1).png": PHOTO, "normal/n (1)_mask.png": BLACK, "benign/b (1).png": PHOTO} | dict(zip(("benign/b (1)_mask.png", "benign/b (1)_mask_1.png"), HALVES, strict=True)), (1, 1), marked=TRUTH),
    Form("folders", "masks a.png and a_1.png of pictures of these names", {"images/a.png": PHOTO, "images/a_1.png": PHOTO, "masks/a.png": MASK, "masks/a_1.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "MT_Free/Imgs/ and MT_Crack/Imgs/ (Magnetic Tile), NAME.jpg beside NAME.png", {"MT_Free/Imgs/0.jpg": JPEG, "MT_Free/Imgs/0.png": BLACK, "MT_Crack/Imgs/1.jpg": JPEG, "MT_Crack/Imgs/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "Real-IAD, its JSON of the splits beside its classes", {**REAL_IAD, "nut.json": splits("OK/S1/2.jpg")}, (1, 1), marked=TRUTH),
    Form("folders", "Real-IAD, its JSONs in realiad_jsons/", {**{f"realiad_256/{path}": one for path, one in REAL_IAD.items()}, "realiad_jsons/nut.json": splits("OK/S1/2.jpg"), "realiad_jsons_sv/nut.json": splits("OK/S1/0.jpg")}, (1, 1), "realiad_jsons_sv", marked=TRUTH),
    Form("folders", "Real-IAD, a picture of its JSON that is not there", {**REAL_IAD, "nut.json": splits("OK/S1/9.jpg", "OK/S1/2.jpg")}, (1, 1), "do not exist (not used): OK/S1/9.jpg", marked=TRUTH),
    Form("folders", "def_front/ and ok_front/ alone (castings)", {"c/test/def_front/0.png": PHOTO, "c/test/ok_front/1.png": PHOTO, "c/test/ok_front/2.png": PHOTO}, (2, 1)),
    Form("folders", "Defect_images/, NODefect_images/ and Mask_images/ (AITEX)", {"Defect_images/0.png": PHOTO, "Mask_images/0_mask.png": MASK, "NODefect_images/f1/1.png": PHOTO}, (1, 1), marked=TRUTH),
    Form("folders", "NG_mask/ beside NG/ and OK/", {"OK/0.png": PHOTO, "NG/1.png": PHOTO, "NG_mask/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "abnormal/, normal/ and normal_test/ (anomalib)", {"normal/0.png": PHOTO, "normal_test/1.png": PHOTO, "abnormal/2.png": PHOTO, "mask/2.png": MASK}, (2, 1), marked=TRUTH),
    Form("folders", "train_good/, test_good/ and test_bad/", {"train_good/0.png": PHOTO, "test_good/1.png": PHOTO, "test_bad/2.png": PHOTO}, (1, 1), "of another split (not used): train_good"),
    Form("folders", "patient/study1_positive/ and study2_negative/ (MURA)", {f"valid/XR_{part}/patient{n}/study{k}_{'positive' if k < n else 'negative'}/image1.png": PHOTO for part in ("HAND", "WRIST") for n in (1, 2) for k in (1, 2)}, (6, 2)),
    Form("folders", "ISIC 2017: NAME_superpixels.png beside NAME.jpg", {**{f"ISIC-2017_Test_v2_Data/ISIC_{n}{end}": PHOTO if end.endswith("png") else JPEG for n in (1, 2) for end in (".jpg", "_superpixels.png")}, **{f"ISIC-2017_Test_v2_Part1_GroundTruth/ISIC_{n}_segmentation.png": MASK for n in (1, 2)}}, (0, 2), "made of those beside them, by their names (not used): ISIC-2017_Test_v2_Data/ISIC_1_superpixels.png", marked=TRUTH),
    Form("folders", "NAME_overlay and NAME_heatmap among the pictures, of one that is not there too", {"good/0.png": PHOTO, "good/0_heatmap.png": PHOTO, "bad/1.png": PHOTO, "bad/1_overlay.jpg": JPEG, "bad/2_overlay.png": PHOTO}, (1, 2), "(not used): bad/1_overlay.jpg, good/0_heatmap.png"),
    Form("folders", "ID/images/ID.png and ID/masks/*.png (Data Science Bowl 2018)", {**{f"{n}/images/{n}.png": PHOTO for n in ("a1", "b2")}, **{f"a1/masks/{k}.png": half for k, half in enumerate(HALVES)}, "b2/masks/c3.png": BLACK}, (1, 1), marked=TRUTH),
    Form("folders", "image.png beside mask.png in a folder of each picture, one without", {**{f"{n}/image.png": PHOTO for n in "abc"}, "a/mask.png": BLACK, "b/mask.png": MASK}, (1, 1), "folders without one picture and its masks (not used): c", marked=TRUTH),
    Form("folders", "masks of two people (CHASE_DB1: NAME_1stHO.png and NAME_2ndHO.png)", {f"Image_0{n}L{end}": JPEG if end == ".jpg" else {"_1stHO.png": MASK}.get(end, BLACK) for n in (1, 2) for end in (".jpg", "_1stHO.png", "_2ndHO.png")}, (0, 2), "by their names (not used): Image_01L_2ndHO.png", marked=TRUTH),
    Form("folders", "NAME_temp.jpg and NAME_test.jpg, boxes in pixels (DeepPCB)", {**{f"group0/0001/{n}_{k}.jpg": JPEG for n in (1, 2) for k in ("temp", "test")}, **{f"group0/0001_not/{n}.txt": "4 3 14 9 1" for n in (1, 2)}}, (2, 2), "boxes in pixels, as DeepPCB has them: export COCO JSON"),
    Form("folders", "several pictures of each thing beside its mask (Eyecandies)", {f"test_public/data/{n}_{k}.png": MASK if k == "mask" else PHOTO for n in ("000", "001") for k in ("image_0", "image_1", "mask")}, "copy those of one number to images/000.png and the masks to masks/000.png"),
    Form("folders", "photographs in a folder called label/", {f"{place}/{n}.png": PHOTO if place == "images" else NOISE for place in ("images", "label") for n in range(2)}, (0, 2), "label/ is read as masks, by its name, and looks like photographs"),
    Form("folders", "line1-OK/ and line2-NG/", {f"line{n}-{label}/0.png": PHOTO for n, label in ((1, "OK"), (2, "NG"), (3, "OK"))}, (2, 1)),
    Form("folders", "damaged/, undamaged/ and unblemished/", {"damaged/0.png": PHOTO, "undamaged/1.png": PHOTO, "unblemished/2.png": PHOTO}, (2, 1)),
    Form("folders", "data/ and annotation/ in each kind (SensumSODF)", {"c/negative/data/0.png": PHOTO, "c/negative/data/1.png": PHOTO, "c/positive/data/0.png": PHOTO, "c/positive/annotation/0.png": MASK}, (2, 1), marked=TRUTH),
    Form("folders", "masks/ among a defect's pictures", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "bad/masks/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "masks/ deeper among a defect's pictures", {"good/0.png": PHOTO, "bad/monday/1.png": PHOTO, "bad/monday/masks/1.png": MASK}, (1, 1), "not used: bad/monday/masks"),
    Form("folders", "heatmaps/ in a defect's folder", {"good/0.png": PHOTO, "bad/data/1.png": PHOTO, "bad/heatmaps/1.png": PHOTO}, (1, 1), "not used: bad/heatmaps"),
    Form("folders", "a subfolder beside a kind's pictures", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "good/monday/2.png": PHOTO}, (1, 1), "not used: good/monday"),
    Form("folders", "images/<kind>/ and masks/<kind>/", {"images/good/0.png": PHOTO, "images/bad/1.png": PHOTO, "masks/bad/1.png": MASK}, (1, 1), marked=TRUTH),
    Form("folders", "images/{train,test}/ and masks/{train,test}/", {f"images/{split}/{n}.png": PHOTO for split in ("train", "test") for n in range(3)} | {f"masks/{split}/{n}.png": MASK if n == 2 else BLACK for split in ("train", "test") for n in range(3)}, (2, 1), marked=TRUTH),
    Form("folders", "images/{train,val}/ and masks/{train,val}/", {f"images/{split}/{n}.png": PHOTO for split in ("train", "val") for n in range(3)} | {f"masks/{split}/{n}.png": MASK if n == 2 else BLACK for split in ("train", "val") for n in range(3)}, (2, 1), marked=TRUTH),
    Form("folders", "one part of two without good pictures", {"nut/good/0.png": PHOTO, "nut/bad/1.png": PHOTO, "bolt/bad/2.png": PHOTO}, (1, 1), "folders without a folder of good pictures (not used): bolt"),
    Form("folders", "one mask, and pictures of two kinds of its name", {"good/0.png": PHOTO, "a/1.png": PHOTO, "b/1.png": PHOTO, "ground_truth/1.png": MASK}, "share a name, such as a/1.png and b/1.png"),
    Form("folders", "glioma/ and notumor/", {"test/glioma/0.png": PHOTO, "test/notumor/1.png": PHOTO}, (1, 1)),
    Form("list", "in the folder of the split's pictures (Roboflow's _classes.csv, metadata.csv)", {f"{split}/{n}.png": PHOTO for split in ("train", "test") for n in range(3)} | {f"{split}/_classes.csv": "filename, defect, good\n0.png, 0, 1\n1.png, 1, 0\n2.png, 1, 0\n" for split in ("train", "test")}, (1, 2)),
    Form("list", "a column of zeros and ones that asks something else, beside others", {**ONE_BAD, "list.csv": "image,patient,Follow-up #\n" + "".join(f"{path},7,{label}\n" for path, label in (("good/0.png", 0), ("good/1.png", 1), ("bad/0.png", 0)))}, (2, 1), "a label column is not among"),
    Form("list", "numbers of rows in a column id, beside 0.png and 1.png", {**{f"{n}.png": PHOTO for n in range(3)}, "list.csv": "id,filename,label\n0,2.png,0\n1,1.png,0\n2,0.png,1\n"}, (2, 1)),
    Form("list", "names of parts beside those of files (name, path)", listed("name,path,label", "part {1},{0},{1}"), (2, 3)),
    Form("list", "a column `undamaged` of zeros and ones", listed("file,undamaged", "{0},{2}"), (2, 3)),
    Form("list", "zeros and ones that answer a question that nobody knows (`sharp`)", {**ONE_BAD, "list.csv": "image,sharp\ngood/0.png,1\ngood/1.png,0\nbad/0.png,0\n"}, (2, 1), "a label column is not among"),
    Form("list", "findings, and No Finding (ChestX-ray14)", {**listed("", "{0}"), "list.csv": "Image Index,Finding Labels,Follow-up #\n" + "".join(f"{path},{('No Finding', 'Mass|Nodule')[label]},0\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "corners x and y of boxes, and a target (RSNA)", {**listed("", "{0}"), "list.csv": "id,x,y,width,height,Target\n" + "".join(f"{path},{'1' if label else ''},{'0' if label else ''},,,{label}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "of labels alone, beside images/ and masks/", {**{f"images/{n}.png": PHOTO for n in range(3)}, "masks/2_mask.png": MASK, "list.csv": "image,label\n0.png,0\n1.png,0\n2.png,1\n"}, (2, 1), marked=TRUTH, noted="names no masks: 1 are taken by name"),
    Form("list", "of labels alone, masks among the images", {**{f"im/{n}.jpg": JPEG for n in range(3)}, "im/2_mask.png": MASK, "list.csv": "image,label\n0.jpg,0\n1.jpg,0\n2.jpg,1\n"}, (2, 1), marked=TRUTH, noted="names no masks: 1 are taken by name"),
    Form("list", "of labels alone, masks of two splits named alike", {f"{split}/{part}/{n}.png": {"images": PHOTO}.get(part, MASK if split == "test" else BLACK) for split in ("a", "test") for part in ("images", "masks") for n in range(2)} | {"list.csv": "image,label\ntest/images/0.png,0\ntest/images/1.png,1\n"}, (1, 1), "does not list (not used): a/images/0.png", marked=TRUTH),
    Form("list", "of labels alone, one mask, and two pictures of its name", {"a/1.png": PHOTO, "b/1.png": PHOTO, "masks/1.png": MASK, "list.csv": "image,label\na/1.png,1\nb/1.png,1\n"}, "a/1.png and b/1.png share their name"),
    Form("list", "of labels alone, masks of other names", {**ONE_BAD, "masks/9.png": MASK, "list.csv": "image,label\ngood/0.png,0\ngood/1.png,0\nbad/0.png,1\n"}, (2, 1), "belong by name to no image of list.csv (not used): masks/9.png"),
    Form("list", "of pictures in train/ and test/, without a column of splits", {**{f"{split}/{n}.png": PHOTO for split in ("train", "test") for n in range(2)}, "list.csv": "file_name,label\ntrain/0.png,0\ntrain/1.png,1\ntest/0.png,0\ntest/1.png,1\n"}, (1, 1), noted="in folders of other splits are not used, such as train/0.png"),
    Form("list", "no header, names without suffix (ISIC)", {**{f"data/ISIC_{n}.jpg": JPEG for n in range(3)}, "list.csv": "ISIC_0,0.0\nISIC_1,0.0\nISIC_2,1.0\n"}, (2, 1)),
    Form("list", "metadata.jsonl in train/ and test/ (Hugging Face)", {f"{split}/{n}.png": PHOTO for split in ("train", "test") for n in range(3)} | {f"{split}/metadata.jsonl": '{"file_name": "0.png", "label": 0}\n\n{"file_name": "1.png", "label": "good", "text": "a, \\"b\\""}\n{"file_name": "2.png", "label": true}\n' for split in ("train", "test")}, (2, 1)),
    Form("list", "metadata.jsonl with masks, in train/ alone", {**{f"train/{n}.png": PHOTO for n in range(2)}, "train/m/1.png": MASK, "train/metadata.jsonl": '{"file_name": "0.png", "label": 0, "mask_file_name": null}\n{"file_name": "1.png", "label": 1, "mask_file_name": "m/1.png"}\n'}, (1, 1), marked=TRUTH, noted="is read as the test split, as nothing else tells labels"),
    Form("list", "JSON lines, one no object", {**ONE_BAD, "list.jsonl": '{"image": "bad/0.png", "label": 1}\n[1]\n'}, (2, 1), "line 2: expected an object"),
    Form("list", "a column of each class, none for good (ISIC 2018's task 3)", {**{f"{n}.jpg": JPEG for n in "ab"}, "gt.csv": "image,MEL,NV\na,0.0,1.0\nb,1.0,0.0\n"}, "one of MEL, NV is 1 for each image: call the column of the good ones .normal., or add a column .label."),
    Form("list", "a column of each class, one of them `healthy` (Plant Pathology)", {**{f"{n}.jpg": JPEG for n in "abc"}, "gt.csv": "image_id,healthy,rust,scab\na,1,0,0\nb,0,0,1\nc,0,1,0\n"}, (1, 2)),
    Form("list", "columns of several faults, which may all be 0", {**{f"{n}.jpg": JPEG for n in "ab"}, "gt.csv": "image,crack,hole\na,0,0\nb,1,1\n"}, "crack, hole hold 0 and 1: add a column .label. with 0 for good"),
    Form("list", "names of classes in a column dx (HAM10000)", {**{f"{n}.jpg": JPEG for n in "ab"}, "metadata.csv": "lesion_id,image_id,dx\nH1,a,nv\nH2,b,mel\n"}, "its column dx names classes .nv, mel.: add a column .label."),
    Form("list", "the same with a word for good", {**{f"{n}.jpg": JPEG for n in "abc"}, "metadata.csv": "image_id,dx\na,normal\nb,mel\nc,nv\n"}, (1, 2)),
    Form("list", "a JSON list of objects, with masks", {**{f"im/{n}.png": PHOTO for n in "ab"}, "m/b.png": MASK, "list.json": json.dumps([{"file_name": "im/a.png", "label": 0, "mask": None}, {"file_name": "im/b.png", "label": 1, "mask": ["m/b.png"]}])}, (1, 1), marked=TRUTH),
    Form("list", "the same in an object that is no COCO, true and false", {**{f"im/{n}.png": PHOTO for n in "ab"}, "list.json": json.dumps({"info": {"year": 2024}, "images": [{"file": f"{n}.png", "defective": n == "b"} for n in "ab"]})}, (1, 1)),
    Form("list", "a JSON list of each split", {**{f"im/{n}.png": PHOTO for n in "abc"}, "list.json": json.dumps({"train": [{"image": "im/a.png", "label": 0}], "test": [{"image": "im/b.png", "label": 0}, {"image": "im/c.png", "label": 1}]})}, (1, 1)),
    Form("list", "a JSON object of files and their labels", {**{f"im/{n}.png": PHOTO for n in "ab"}, "labels.json": '{"a.png": "good", "b.png": "crack"}'}, (1, 1)),
    Form("list", "a JSON list without labels", {**{f"{n}.png": PHOTO for n in "ab"}, "list.json": '[{"file_name": "a.png"}, {"file_name": "b.png"}]'}, "list.json is not used: a label column is not among its columns .file_name"),
    Form("list", "a JSON list of labels that nobody knows", {**{f"{n}.png": PHOTO for n in "ab"}, "list.json": '[{"file_name": "a.png", "label": 0}, {"file_name": "b.png", "label": 7}]'}, "list.json, entry 2: unknown label '7'"),
    Form("list", "results of detect beside the pictures", {**ONE_BAD, "out/results.csv": "path,score,decision\ngood/0.png,0.9,anomalous\ngood/1.png,0.1,normal\n", "out/results.jsonl": '{"path": "good/0.png", "score": 0.9, "decision": "anomalous"}\n'}, (2, 1), "its decisions are a program's"),
    Form("list", "a name that two pictures bear", {"im/0.png": PHOTO, "im/1.png": PHOTO, "m/1.png": MASK, "list.csv": "image,defect\n0.png,\n1.png,hole\n"}, (1, 0), "as 1.png could be im/1.png and m/1.png (not used; write their paths)"),
    Form("list", "commas, LF", listed("image,label", "{0},{1}", end="\n"), (2, 3)),
    Form("list", "semicolons, `sep=;`, BOM", listed("sep=;\r\nimage;label", "{0};{1}", "utf-8-sig"), (2, 3)),
    Form("list", "tabs, UTF-16 (Excel's Unicode text)", listed("image\tlabel", "{0}\t{1}", "utf-16", "list.txt"), (2, 3)),
    Form("list", "UTF-16 without a mark", listed("image\tlabel", "{0}\t{1}", "utf-16-le"), (2, 3)),
    Form("list", "a text of paths and labels 0 and 1, beside 0.png and 1.png", {"im/0.png": PHOTO, "im/1.png": PHOTO, "list.txt": "im/0.png 0\nim/1.png 1\n"}, (1, 1)),
    Form("list", "Chinese: 合格, 不良", {**listed("", "{0}"), "list.csv": "image,label\n" + "".join(f"{path},{'合格不良'[2 * label:][:2]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "German: Datei, Ergebnis, n.i.O., Windows-1252", listed("Datei;Prüfergebnis;Ergebnis", "{0};ü{1};{1},0", "cp1252"), (2, 3)),
    Form("list", "Chinese, GBK", {path: PHOTO for path, _ in CHINESE} | {"list.csv": "图片,标签\n".encode("gbk") + "".join(f"{path},{'合格不良'[2 * label:][:2]}\n" for path, label in CHINESE).encode("gbk")}, (2, 1)),
    Form("list", "Chinese names alone, GBK", {path: PHOTO for path, _ in CHINESE} | {"list.csv": "".join(f"{path},{label}\n" for path, label in CHINESE).encode("gbk")}, (2, 1)),
    Form("list", "Japanese, Shift-JIS", listed("画像,判定", "{0},{1}", "cp932"), (2, 3)),
    Form("list", "Russian: годен, брак, Windows-1251", {**listed("", "{0}"), "list.csv": ("файл;результат\n" + "".join(f"{path};{('годен', 'брак')[label]}\n" for path, label in ROWS)).encode("cp1251")}, (2, 3)),
    Form("list", "names with umlauts of DOS (code page 850)", listed("image,label", "{0},{1}", "cp850", rows=ACCENTS), (2, 3)),
    Form("list", "bytes of no encoding", {**ONE_BAD, "list.csv": b"image,label\n\xff\xff\x81\x98.png,1\n"}, (2, 1), "is not UTF-8, and no word in it tells"),
    Form("list", "labels -1 and 1", {**listed("", "{0}"), "list.csv": "image,label\n" + "".join(f"{path},{2 * label - 1}\n" for path, label in ROWS)}, (2, 3), "1 is taken as anomalous"),
    Form("list", "labels -1 and 1 in a column `good`", {**listed("", "{0}"), "list.csv": "image,good\n" + "".join(f"{path},{1 - 2 * label}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "labels -1, 0 and 1", {**listed("", "{0}"), "list.csv": "image,label\ngood/0.png,-1\ngood/1.png,0\nbad/0.png,1\n"}, "unknown label '-1'"),
    Form("list", "runs (Severstal: ImageId, ClassId, EncodedPixels)", {**MARKS, "list.csv": f"ImageId,ClassId,EncodedPixels\na.png,1,{kaggle(LEFT)}\na.png,3,{kaggle(RIGHT)}\n"}, (1, 1), marked=TRUTH),
    Form("list", "runs (Severstal: ImageId_ClassId)", {**MARKS, "list.csv": f"ImageId_ClassId,EncodedPixels\na.png_1,{kaggle(TRUTH)}\na.png_2,\nb.png_1,\n"}, (1, 1), marked=TRUTH),
    Form("list", "runs (Airbus: every picture, empty where nothing is)", {**MARKS, "list.csv": f"ImageId,EncodedPixels\na.png,{kaggle(LEFT)}\na.png,{kaggle(RIGHT)}\nb.png,\n"}, (1, 1), marked=TRUTH),
    Form("list", "runs (TGS: id, rle_mask)", {**MARKS, "list.csv": f"id,rle_mask\na,{kaggle(TRUTH)}\nb,\n"}, (1, 1), marked=TRUTH),
    Form("list", "runs that count from 0", {**MARKS, "list.csv": "ImageId,EncodedPixels\na.png,0 3\nb.png,-1\n"}, "count pixels from 1"),
    Form("list", "a submission (sample_submission.csv)", {**ONE_BAD, "sample_submission.csv": "ImageId,EncodedPixels\n0.png,1 409600\n"}, (2, 1), "a program's answers"),
    Form("list", "German: bestanden, nicht bestanden", {**listed("", "{0}"), "list.csv": "Bild;Befund\n" + "".join(f"{path};{('bestanden', 'nicht bestanden')[label]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "Polish: dobry, zły, Windows-1250", {**listed("", "{0}"), "list.csv": ("plik;wynik\n" + "".join(f"{path};{('dobry', 'zły')[label]}\n" for path, label in ROWS)).encode("cp1250")}, (2, 3)),
    Form("list", "Turkish: uygun, hatalı", {**listed("", "{0}"), "list.csv": "dosya;etiket\n" + "".join(f"{path};{('uygun', 'hatalı')[label]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "French: conforme, non conforme", {**listed("", "{0}"), "list.csv": "fichier;résultat\n" + "".join(f"{path};{('conforme', 'non conforme')[label]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "a text of pictures and their masks (Crack500)", {"a.jpg": JPEG, "b.jpg": JPEG, "a.png": MASK, "b.png": MASK, "test.txt": "a.jpg a.png\nb.jpg b.png\n"}, (0, 2), marked=TRUTH),
    Form("list", "a text of pictures and pictures", {"a.jpg": JPEG, "b.jpg": JPEG, "a.png": PHOTO, "b.png": PHOTO, "test.txt": "a.jpg a.png\nb.jpg b.png\n"}, "no paths with labels"),
    Form("list", "relative runs (SIIM-ACR)", {**MARKS, "list.csv": "ImageId,EncodedPixels\na,100 3 50 4\nb,-1\n"}, "begins within the one before it"),
    Form("list", "runs beyond the picture", {**MARKS, "list.csv": "ImageId,EncodedPixels\na,430 9\nb,-1\n"}, "end at pixel 438, its image has 24 x 18"),
    Form("list", "two masks in one cell", {**MARKS, "m/1.png": HALVES[0], "m/2.png": HALVES[1], "list.csv": "image,mask\na.png,m/1.png;m/2.png\nb.png,\n"}, (1, 1), marked=TRUTH),
    Form("list", "paths that begin with the archive's name, files of one name (CheXpert)", {f"valid/p{n}/view.png": PHOTO for n in range(2)} | {"valid.csv": "Path,No Finding\nCheXpert-small/valid/p0/view.png,1.0\nCheXpert-small/valid/p1/view.png,0.0\n"}, (1, 1)),
    Form("list", "a row without an image", {**listed("", "{0}"), "list.csv": "image,label\n" + "".join(f"{path},{label}\n" for path, label in ROWS) + ",1\n"}, (2, 3), "1 rows of list.csv name no image"),
    Form("list", "quoted, backslashes", listed('"image","label"', '"{w}","{1}"'), (2, 3)),
    Form("list", "no header", listed("", "{0},{1}"), (2, 3)),
    Form("list", "titles above the header", listed("Line 4\r\n2026-01-01\r\n\r\nimage;label", "{0};{1}"), (2, 3)),
    Form("list", "blanks, comments", listed("# path label", "{0} {1}", name="list.txt"), (2, 3)),
    Form("list", "names in NFD, files in NFC", listed("image,label", "{0},{1}", rows=tuple((unicodedata.normalize("NFC", path), label) for path, label in ACCENTS)) | {"list.csv": "image,label\n" + "\n".join(f"{unicodedata.normalize('NFD', path)},{label}" for path, label in ACCENTS)}, (2, 3)),
    Form("list", "a column `ok`, turned round", listed("file,ok", "{0},{2}"), (2, 3)),
    Form("list", "a column `ok` of OK and NG", {**listed("", "{0}"), "list.csv": "file,ok\n" + "".join(f"{path},{('OK', 'NG')[label]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "a column `quality`, 1 for good", listed("file,quality", "{0},{2}"), (2, 3)),
    Form("list", "a column `healthy`, yes or no", {**listed("", "{0}"), "list.csv": "file,healthy\n" + "".join(f"{path},{('yes', 'no')[label]}\n" for path, label in ROWS)}, (2, 3)),
    Form("list", "a column `non-defective`", listed("file;non-defective", "{0};{2}"), (2, 3)),
    Form("list", "a program's predictions", {**ONE_BAD, "found.csv": "image,prediction\ngood/0.png,1\nbad/0.png,0\n"}, (2, 1), "a label column is not among"),
    Form("list", "two columns that contradict each other", listed("image,label,target", "{0},{1},{2}"), (2, 3), "calls otherwise in its column target"),
    Form("list", "one image normal and anomalous", {**listed("image,label", "{0},{1}"), "list.csv": "image,label\n" + "".join(f"{path},{label}\n" for path, label in (*ROWS, ("bad/0.png", 0)))}, (2, 2), "as normal and as anomalous"),
    Form("list", "percentages", listed("image,label", "{0},{1}3%"), "unknown label"),
    Form("list", "paths of another machine", listed("image,label", "C:\\set\\{w},{1}"), "leads outside"),
    Form("list", "a path that leads out", listed("image,label", "../{0},{1}"), "leads outside"),
    Form("list", "a workbook (.xlsx)", {**ONE_BAD, "list.xlsx": b"PK\3\4"}, (2, 1), "a workbook"),
    Form("list", "scores, no labels", {**ONE_BAD, "scores.csv": "image,score\ngood/0.png,0.1\nbad/0.png,0.7\n"}, (2, 1), "a label column is not among"),
    Form("COCO", "polygon", pair(x_json=coco([SQUARE])), (1, 1), marked=TRUTH),
    Form("COCO", "runs", pair(x_json=coco(runs(compressed=False), iscrowd=1)), (1, 1), marked=TRUTH),
    Form("COCO", "compressed runs", pair(x_json=coco(runs(compressed=True))), (1, 1), marked=TRUTH),
    Form("COCO", "annotations twice in one JSON", pair(x_json=coco([SQUARE])[:-1] + ', "annotations": []}'), "'annotations' is there twice"),
    Form("COCO", "of pictures that are not there", pair(x_json=coco([SQUARE], folder="raw/x")), "2 annotated images that do not exist \\(not used\\): raw/xa.png"),
    Form("COCO", "boxes alone", pair(x_json=coco([], bbox=[4, 3, 10, 6])), (1, 1), "of no pixels, and so no mask"),
    Form("COCO", "a category called good", pair(x_json=coco([SQUARE], "Good")), (2, 0), "no anomalous images"),
    Form("COCO", "one JSON per split, pictures named alike", split(coco([SQUARE])), (1, 1), marked=TRUTH),
    Form("COCO", "a coordinate that is no number", pair(x_json=coco([[None, *SQUARE[1:]]])), "annotation 0: expected a number"),
    Form("COCO", "annotations/instances_val2017.json beside train2017/ and val2017/", halves("train2017", "val2017"), (1, 1), marked=TRUTH, noted="files for validation are read as the test split"),
    Form("LabelMe", "polygon, imageData", pair(a_json=labelme("polygon", CORNERS, imageData="AAAA")), (1, 1), marked=TRUTH),
    Form("LabelMe", "rectangle", pair(a_json=labelme("rectangle", [[14, 9], [4, 3]])), (1, 1), marked=TRUTH),
    Form("LabelMe", "turned rectangle", pair(a_json=labelme("oriented_rectangle", CORNERS)), (1, 1), marked=TRUTH),
    Form("LabelMe", "train/ and val/", {f"{part}/{name}": content for part in ("train", "val") for name, content in pair(a_json=labelme("polygon", CORNERS)).items()}, (1, 1), "images of another split (not used): train/a.png, train/b.png", marked=TRUTH),
    Form("LabelMe", "line", pair(a_json=labelme("linestrip", CORNERS)), (1, 1), "of no pixels, and so no mask"),
    Form("LabelMe", "mask", pair(a_json=labelme("mask", [[4, 3], [13, 8]], mask=embedded(TRUTH[3:9, 4:14]))), (1, 1), marked=TRUTH),
    Form("LabelMe", "a mask of another size than its points span", pair(a_json=labelme("mask", [[4, 3], [13, 8]], mask=embedded(TRUTH))), "its mask has 24 x 18 pixels, its points span 10 x 6"),
    Form("LabelMe", "_background_, which marks nothing", pair(a_json=labelme("polygon", CORNERS, "_background_")), (2, 0), "no anomalous images"),
    Form("LabelMe", "a shape called ok", pair(a_json=labelme("polygon", CORNERS, "OK")), (2, 0), "no anomalous images"),
    Form("CVAT for images", "polygon", pair(x_xml=cvat(f'<polygon label="x" points="{POINTS}"/>')), (1, 1), marked=TRUTH),
    Form("CVAT for images", "mask", pair(x_xml=cvat('<mask label="x" rle="0, 60" left="4" top="3" width="10" height="6"/>')), (1, 1), marked=TRUTH),
    Form("CVAT for images", "tag of the image", pair(x_xml=cvat('<tag label="x"/>')), (1, 1), "of no pixels, and so no mask"),
    Form("CVAT for video", "tracks", pair(x_xml='<annotations><track id="0" label="x"/></annotations>'), "CVAT for video"),
    Form("Pascal VOC", "boxes (XML)", {**ONE_BAD, "bad/0.xml": "<annotation><object/></annotation>"}, (2, 1), "Pascal VOC's XML"),
    Form("YOLO", "text", {**ONE_BAD, "labels/0.txt": "0 0.5 0.5 0.2 0.2\n"}, (2, 1), "YOLO's text"),
    Form("VIA", "JSON", {**ONE_BAD, "via.json": '{"0.png1": {"filename": "0.png", "regions": []}}'}, (2, 1), "VIA: export COCO JSON"),
    Form("VIA", "project", {**ONE_BAD, "via_project.json": '{"_via_settings": {}, "_via_img_metadata": {}}'}, (2, 1), "VIA: export COCO JSON"),
    Form("V7 Darwin", "JSON, one of each picture", {**ONE_BAD, "bad/0.json": '{"version": "2.0", "item": {"name": "0.png"}, "annotations": []}'}, (2, 1), "V7 Darwin: export COCO JSON"),
    Form("Label Studio", "JSON", {**ONE_BAD, "project.json": '[{"id": 1, "data": {"image": "0.png"}, "annotations": []}]'}, (2, 1), "Label Studio: export COCO JSON"),
    Form("CreateML", "JSON", {**ONE_BAD, "_annotations.createml.json": '[{"image": "0.png", "annotations": []}]'}, (2, 1), "CreateML: export COCO JSON"),
    Form("MATLAB, NumPy, HDF5", "beside the pictures", {**ONE_BAD, "gt.mat": b"MATLAB 5.0", "gt.npy": b"\x93NUMPY", "gt.h5": b"\x89HDF"}, (2, 1), "gt.mat is not used"),
    Form("masks", "of two values", masked(MASK), (1, 1), marked=TRUTH),
    Form("masks", "inverted", masked(picture(255 - TRUTH.astype(np.uint8) * 255)), (1, 1), marked=~TRUTH, noted="mark more than half|marks more than half"),
    Form("masks", "white is zero (1-bit TIFF of tifffile)", masked(one_bit(TRUTH)), (1, 1), marked=~TRUTH, noted="whose white is zero"),
    Form("masks", "JPEG", masked(picture(TRUTH.astype(np.uint8) * 255, "JPEG"), "jpg"), (1, 1), noted="values between the ends"),
    Form("masks", "soft edges", masked(picture(SOFT)), (1, 1), marked=SOFT >= 128, noted="values between the ends"),
    Form("masks", "classes 1, 2 and 3", masked(picture(TRUTH.astype(np.uint8) * (1 + np.arange(WIDTH, dtype=np.uint8) // 8))), (1, 1), marked=TRUTH, noted="look black|looks black"),
    Form("masks", "16 bits, 1 is marked", masked(picture(TRUTH.astype(np.uint16))), (1, 1), marked=TRUTH),
    Form("masks", "a DICOM segmentation", masked(dicom(np.packbits(TRUTH, bitorder="little"), Rows=HEIGHT, Columns=WIDTH, BitsAllocated=1, BitsStored=1, SOPClassUID=SegmentationStorage)(), "dcm"), (1, 1), marked=TRUTH, noted="look black|looks black"),
    Form("masks", "truth in the alpha", masked(picture(np.dstack([TRUTH.astype(np.uint8) * 0] * 3 + [TRUTH.astype(np.uint8) * 255]))), (1, 1), marked=TRUTH, noted="alpha channel"),
    Form("masks", "truth in the alpha, of images/ and masks/", {"images/0.png": PHOTO, "images/1.png": PHOTO, "masks/0.png": BLACK, "masks/1.png": picture(np.dstack([TRUTH.astype(np.uint8) * 0] * 3 + [TRUTH.astype(np.uint8) * 255]))}, (1, 1), marked=TRUTH, noted="alpha channel"),
    Form("masks", "truth in the numbers of a black palette, of images/ and masks/", {"images/0.png": PHOTO, "images/1.png": PHOTO, "masks/0.png": BLACK, "masks/1.png": numbered(TRUTH)}, (1, 1), marked=TRUTH, noted="palette indices"),
    Form("masks", "the photo itself", masked(PHOTO), (1, 1), noted="marks more than half"),
    Form("masks", "black, of an anomalous picture", masked(BLACK), (1, 1), noted="all black"),
    Form("masks", "of a picture that a list calls normal", {"good/0.png": PHOTO, "bad/1.png": PHOTO, "m/0.png": MASK, "m/1.png": MASK, "list.csv": "image,label,mask\ngood/0.png,0,m/0.png\nbad/1.png,1,m/1.png\n"}, (1, 1), marked=TRUTH, noted="labelled normal"),
    Form("masks", "of other proportions", masked(picture(np.ascontiguousarray(TRUTH[:, :9]).astype(np.uint8) * 255)), (1, 1), noted="do not cover the same area"),
    Form("masks", "of half the size", masked(picture(TRUTH[::2, ::2].astype(np.uint8) * 255)), (1, 1), noted="scaled to fit"),
    Form("others", "JSON of no known tool", {**ONE_BAD, "notes.json": '{"a": 1}'}, (2, 1), "none of meta.json, COCO"),
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS, ids=[f"{form.kind}: {form.name}" for form in FORMS])
def test_every_documented_form_is_read_right_or_refused_in_these_words(form: Form, tmp_path: Path) -> None:
    root = tmp_path / "set"
    for name, content in form.files.items():
        place = root / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
    if isinstance(form.becomes, str):
        with pytest.raises(InputError, match=form.becomes):
            open_dataset(root)
        return
    dataset = open_dataset(root)
    labels = [item.label for item in dataset.items]
    assert (labels.count(0), labels.count(1)) == form.becomes
    assert form.told in " ".join(dataset.problems)
    assert bool(form.told) == bool(dataset.problems), dataset.problems
    assert form.kind == "masks" or form.noted in " ".join(dataset.notes)
    if form.kind == "masks":  # the others have no word of their masks: decoding them all would say nothing
        checked = check_dataset(dataset)
        lines = " ".join((*checked.problems[len(dataset.problems) :], *checked.notes[len(dataset.notes) :]))
        assert re.search(form.noted, lines), lines
        assert bool(form.noted) == bool(lines), lines
    if form.marked is not None:
        item = next(item for item in dataset.items if item.label == 1)
        assert np.array_equal(read_marked(item.mask, item.image, 1).marked, form.marked)


def table() -> str:
    lines = ["| kind | form | what becomes of it |", "|---|---|---|"]
    for form in FORMS:
        outcome = f'refused: "{form.becomes}"' if isinstance(form.becomes, str) else "read"
        outcome += ", to the pixel" if form.marked is not None else ""
        told = form.told or form.noted.partition("|")[0]
        outcome += f', and told: "{told}"' if told else ""
        lines.append(f"| {form.kind} | {form.name} | {outcome} |")
    return "\n".join(lines)


def page() -> str:
    return page_with(PAGE, START, table(), END)


def test_the_page_holds_these_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.data.test_documented"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
