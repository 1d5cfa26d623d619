"""Lists in the forms that spreadsheets write: read, or named as unused. Written byte by byte, as other programs do."""

from __future__ import annotations

import csv
import io
import os
import unicodedata
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomalyclip.data import check_dataset, masks, open_dataset, tables, text
from anomalyclip.data.columns import column_of, label_of
from anomalyclip.data.text import decode
from anomalyclip.errors import ImageReadError, InputError

LABELS = {"good/a.png": 0, "good/b.png": 1, "bad/c.png": 1, "bad/d.png": 1}  # the list corrects b


@pytest.fixture
def folder(tmp_path: Path, put) -> Path:
    for name in LABELS:
        put(tmp_path / name)
    return tmp_path


def labels(folder: Path, **options) -> dict[str, int]:
    dataset = open_dataset(folder, **options)
    return {item.image.relative_to(dataset.root).as_posix(): item.label for item in dataset.items}


def rows(header: str, separator: str, words: tuple[str, str] = ("0", "1"), names=LABELS) -> str:
    lines = [header.replace(";", separator), *(f"{name}{separator}{words[label]}" for name, label in names.items())]
    return "\r\n".join(lines) + "\r\n"


FORMS = {
    "commas": rows("image;label", ",").encode(),
    "semicolons with mark": rows("image;label", ";").encode("utf-8-sig"),
    "tabs": rows("image;label", "\t").encode(),
    "bars": rows("image;label", "|").encode(),
    "excel's sep line": b"sep=;\r\n" + rows("image;label", ";").encode(),
    "sep line and mark": "\ufeffsep=\t\r\n".encode() + rows("image;label", "\t").encode(),
    "excel's unicode text": rows("image;label", "\t").encode("utf-16"),
    "utf-16 big endian": "\ufeff".encode("utf-16-be") + rows("image;label", "\t").encode("utf-16-be"),
    "utf-16 without mark": rows("image;label", "\t").encode("utf-16-le"),
    "utf-32": rows("image;label", ",").encode("utf-32"),
    "quoted": b'"image";"label"\r\n' + "".join(f'"{n}";"{v}"\r\n' for n, v in LABELS.items()).encode(),
    "other names": rows("filename;target", ",").encode(),
    "german": rows("Bild-Datei;Bewertung", ";", ("i.O.", "n.i.O.")).encode(),
    "german words": rows("Dateiname;Ergebnis", ";", ("fehlerfrei", "Ausschuss")).encode("cp1252"),
    "decimal commas": rows("Bild;Label", ";", ("0,0", "1,0")).encode(),
    "decimal points": rows("path;is_anomaly", ",", ("0.0", "1.0")).encode(),
    "french": rows("Fichier;État", ";", ("bon", "défaut")).encode("cp1252").replace(b"\xc9tat", b"etat"),
    "turned round": rows("image;ok", ",", ("yes", "no")).encode(),
    "pass and fail": rows("file name;result", ",", ("PASS", "FAIL")).encode(),
    "kinds": rows("image;defect_type", ",", ("good", "scratch")).encode(),
    "windows paths": rows("image;label", ";").replace("/", "\\").encode(),
    "upper case": rows("IMAGE;LABEL", ",").upper().encode(),
    "bare names": rows("image;label", ",", names={n.split("/")[1]: v for n, v in LABELS.items()}).encode(),
    "stems": rows("id;label", ",", names={n.split("/")[1][:-4]: v for n, v in LABELS.items()}).encode(),
    "no header": "".join(f"{n},{v}\n" for n, v in LABELS.items()).encode(),
    "columns without sense": rows("x1;x2", ",").encode(),
    "empty columns at the end": rows("image;label;;", ",").encode(),
    "dots before": rows("image;label", ",", names={f"./{n}": v for n, v in LABELS.items()}).encode(),
    "blanks, no header": "".join(f"{n} {v}\n" for n, v in LABELS.items()).encode(),
    "wide blanks": "".join(f"{n}   {v}\n" for n, v in LABELS.items()).encode(),
    "comments first": b"# exported by a tool\n# 2026\n" + rows("image;label", ",").encode(),
    "header as a comment": rows("# image;label", ",").encode(),
    "line breaks in cells": b"image,label,remark\n"
    + "".join(f'"{n}",{v},"a\nb ""c"""\n' for n, v in LABELS.items()).encode(),
    "a row per defect": (rows("image;label", ",") + "bad/c.png,1\n").encode(),
    "empty lines first": b"\r\n\r\n" + rows("image;label", ",").encode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms_of_lists(folder: Path, form: str) -> None:
    (folder / "labels.csv").write_bytes(FORMS[form])
    assert labels(folder) == LABELS
    assert labels(folder / "labels.csv") == LABELS
    dataset = open_dataset(folder)
    assert dataset.problems == ()
    assert any("labels.csv" in note for note in dataset.notes)


@pytest.mark.parametrize("name", ["labels.tsv", "LABELS.CSV", "annotations/truth.csv", "list.txt"])
def test_places_and_names_of_lists(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(FORMS["tabs"])
    assert labels(folder) == LABELS


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("labels.csv", b"a,b\n1,2\n", "labels.csv is not used: an image column is not among its columns (a, b)"),
        ("labels.csv", b"image,weight\ngood/a.png,2.5\n", "labels.csv is not used: a label column"),
        ("labels.xlsx", b"PK\x03\x04", "labels.xlsx is not used (a workbook): save it as CSV"),
        ("labels.ods", b"PK\x03\x04", "labels.ods is not used (a workbook)"),
        ("data.json", b'{"a": 1}', "data.json is not used (it is none of meta.json, COCO, LabelMe, Supervisely)"),
        ("data.json", b"{", "data.json is not used (not valid JSON"),
        ("val.csv", b"image,label\ngood/a.png,1\n", "val.csv is not used (of another split)"),
        ("labels/a.txt", b"0 0.5 0.5 0.1 0.2\n", "1 files such as labels/a.txt are not used (YOLO's text"),
        (
            "boxes.csv",
            b"image,xmin,ymin,xmax,ymax,class\nbad/c.png,1,2,30,40,scratch\n",
            "boxes.csv is not used: a label column",
        ),
        (
            "labels.jsonl",
            b'{"image": "good/a.png", "text": "a nut"}\n',
            "labels.jsonl is not used: a label column is not among its columns (image, text)",
        ),
        ("labels.yaml", b"good/a.png: 1\n", "labels.yaml is not used (.yaml): save its labels as CSV"),
        ("labels.md", b"| good/a.png | 1 |\n", "labels.md is not used (.md)"),
        ("labels.parquet", b"PAR1", "labels.parquet is not used (.parquet)"),
        ("labels.db", b"SQLite format 3\0", "labels.db is not used (.db)"),
        ("list.txt", b"good/a.png is fine but bad/c.png is not\n", "list.txt is not used: its lines are no paths"),
        ("good/a.json", b'{"annotations": {}}', "1 files such as good/a.json are not used (they are none of COCO"),
        ("a.xml", b"<annotation><object/></annotation>", "1 files such as a.xml are not used (Pascal VOC's XML"),
    ],
)
def test_what_is_not_used_is_named(folder: Path, name: str, content: bytes, told: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    dataset = open_dataset(folder)
    assert [item.label for item in dataset.items] == [0, 0, 1, 1], "the folders tell"
    assert told in "\n".join(dataset.problems)
    assert told in "\n".join(check_dataset(dataset).problems)


@pytest.mark.parametrize("name", ["readme.txt", "notes.md", "config.yaml"])
def test_texts_that_are_no_lists_need_no_word(folder: Path, name: str) -> None:
    (folder / name).write_text("these are pictures, labelled by hand\nimage by image, v1.20\n")
    assert open_dataset(folder).problems == ()


def test_an_image_with_both_labels_is_left_out_and_told(folder: Path) -> None:
    (folder / "labels.csv").write_text(rows("image;label", ",") + "bad/c.png,0\n")
    assert labels(folder) == {name: label for name, label in LABELS.items() if name != "bad/c.png"}
    told = "1 images that labels.csv lists as normal and as anomalous (not used): bad/c.png"
    assert told in open_dataset(folder).problems


def test_masks_of_several_rows_count_together(folder: Path, put) -> None:
    for number in (1, 2):
        put(folder / f"masks/{number}.png")
    lines = ["image,label,mask", "good/a.png,0,", "bad/c.png,1,masks/1.png", "bad/c.png,1,masks/2.png"]
    (folder / "labels.csv").write_text("\n".join(lines))
    dataset = open_dataset(folder)
    found = {item.image.name: item.mask for item in dataset.items}
    assert [path.name for path in found["c.png"].files] == ["1.png", "2.png"]
    assert "1 images have several rows in labels.csv and are used once each" in dataset.notes


def test_images_that_the_list_leaves_out_are_told(folder: Path) -> None:
    (folder / "labels.csv").write_text("image,label\ngood/a.png,0\nbad/c.png,1\n")
    assert "2 images that labels.csv does not list (not used): bad/d.png, good/b.png" in open_dataset(folder).problems


def test_a_list_of_files_that_are_not_there_says_what_is(folder: Path) -> None:
    (folder / "labels.csv").write_text("image,label\nx/1.jpg,0\nx/2.jpg,1\n")
    with pytest.raises(
        InputError, match=r"none of the 2 listed images exists, such as x/1.jpg; the folder holds 4 images"
    ):
        open_dataset(folder)


@pytest.mark.parametrize("path", ["../x.png", "/etc/passwd", "C:\\data\\x.png", "good/../../x.png", "a\0b"])
def test_no_path_leaves_the_folder(folder: Path, put, path: str) -> None:
    put(folder.parent / "x.png")
    (folder / "labels.csv").write_text(f"image,label\n{path},0\n")
    with pytest.raises(InputError, match=r"labels\.csv, line 2"):
        open_dataset(folder)


def test_names_compare_in_one_unicode_form(tmp_path: Path, put) -> None:
    names = [unicodedata.normalize(form, f"grün{number}.png") for number, form in enumerate(("NFC", "NFD"))]
    other = [unicodedata.normalize(form, f"grün{number}.png") for number, form in enumerate(("NFD", "NFC"))]
    for name, mask in zip(names, other, strict=True):
        put(tmp_path / "bad" / name), put(tmp_path / "good" / f"x{name}")
        put(tmp_path / "ground_truth/bad" / mask, 255, part=True)
    assert all(item.mask is not None for item in open_dataset(tmp_path).items if item.label)
    (tmp_path / "labels.csv").write_text("image,label\n" + "".join(f"bad/{name},1\n" for name in other))
    assert len(open_dataset(tmp_path).items) == 2


def test_masks_of_a_list(folder: Path, put) -> None:
    put(folder / "masks/c_mask.png", 255, part=True), put(folder / "masks/b.png", 0)
    text = "Bild;Maske\ngood/a.png;\ngood/b.png;b.png\nbad/c.png;c_mask.png\n"
    (folder / "liste.csv").write_text(text)
    dataset = open_dataset(folder)
    assert [(item.image.name, item.label) for item in dataset.items] == [("a.png", 0), ("b.png", 0), ("c.png", 1)]
    assert dataset.levels == {"image", "pixel"}
    assert any("masks tell the labels" in note for note in dataset.notes)


def test_a_mask_that_contradicts_its_rows_label_is_told(folder: Path, put) -> None:
    put(folder / "masks/a.png", 255, part=True), put(folder / "masks/c.png", 255, part=True)
    (folder / "l.csv").write_text("image,label,mask\ngood/a.png,0,masks/a.png\nbad/c.png,1,masks/c.png\n")
    assert "labelled normal" in "\n".join(check_dataset(open_dataset(folder)).problems)


def test_kinds_in_the_label_column(folder: Path) -> None:
    (folder / "l.csv").write_text("image,label\ngood/a.png,good\nbad/c.png,scratch\nbad/d.png,dent\n")
    assert [(i.label, i.kind) for i in open_dataset(folder).items] == [(0, "good"), (1, "scratch"), (1, "dent")]


@given(
    st.lists(st.text("abcäß ;,|\t\"'", min_size=1).map(str.strip).filter(bool), min_size=1, unique=True),
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_tables_come_back_as_csv_wrote_them(names: list[str], separator: str, encoding: str) -> None:
    import tempfile

    from anomalyclip.data.tables import open_table

    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator)
    writer.writerows([["image", "label"], *([name, "1"] for name in names)])
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "t.csv")
        path.write_bytes(buffer.getvalue().encode(encoding))
        assert [row["image"] for _, row in open_table(path).rows()] == names


@given(st.text(max_size=40))
def test_text_survives_every_encoding(text: str) -> None:
    text = text.replace("\0", "").encode("utf-8", "ignore").decode()
    for encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert decode(text.encode(encoding))[0] == text


def test_words() -> None:
    assert [column_of(name) for name in ("File Name", "GT_path", "Fehlerart", "weight")] == [
        "image",
        "mask",
        "kind",
        "weight",
    ]
    assert [label_of(word) for word in ("NOK", "in Ordnung", "nicht in Ordnung", "1.0", "0,5", "maybe")] == [
        1,
        0,
        1,
        1,
        None,
        None,
    ]


ROWS_OF_BOTH = [(f"good/{i}.png", 0) for i in range(3)] + [(f"bad/{i}.png", 1) for i in range(4)]


@pytest.mark.parametrize(
    ("head", "row", "told"),
    [
        ("Inspection of line 4\nexported 2026-01-01\n\nimage;label", "{0};{1}", ""),
        ("Inspection;;\n;;\nimage;label;", "{0};{1};", ""),
        ("image,label,split", "{0},{1},Testing", ""),
        ("image,label,target", "{0},{1},{2}", "calls otherwise in its column target than in label"),
        ("image,normal,anomaly", "{0},{1},{1}", "calls otherwise in its column normal than in anomaly"),
        ("image,label,defect", "{0},{1},good", "calls otherwise in its column defect than in label"),
        ("image,label,defect", "{0},{1},{3}", ""),
        ("image,label,score", "{0},{1},0.5", ""),
    ],
)
def test_titles_splits_and_second_opinions(tmp_path, head, row, told):
    for name, _ in ROWS_OF_BOTH:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (len(name), 7, ord(name[0]))).save(tmp_path / name)
    lines = [row.format(name, label, 1 - label, "scratch" if label else "") for name, label in ROWS_OF_BOTH]
    (tmp_path / "list.csv").write_text("\n".join([head, *lines]))
    dataset = open_dataset(tmp_path)
    assert [item.label for item in dataset.items].count(0) == 3
    assert [item.label for item in dataset.items].count(1) == 4
    assert [told in problem for problem in dataset.problems] == [True] * bool(told)


def test_rows_of_a_split_for_neither_training_nor_tests_are_told(tmp_path):
    splits = ["test", "val", "train", "dev", "val", "test", "Testing"]
    for name, _ in ROWS_OF_BOTH:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4), (len(name), 7, ord(name[0]))).save(tmp_path / name)
    lines = [f"{name},{label},{split}" for (name, label), split in zip(ROWS_OF_BOTH, splits, strict=True)]
    (tmp_path / "list.csv").write_text("\n".join(["image,label,split", *lines]))
    dataset = open_dataset(tmp_path)
    assert len(dataset.items) == 3
    assert "rows of splits other than train and test are not used: val (2), dev (1)" in dataset.notes


def test_percentages_are_no_names_of_defects(tmp_path):
    for name, _ in ROWS_OF_BOTH:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / name)
    lines = [f"{name},{13 * label}%" for name, label in ROWS_OF_BOTH]
    (tmp_path / "list.csv").write_text("\n".join(["image,label", *lines]))
    with pytest.raises(InputError, match="line 5: unknown label '13%'"):
        open_dataset(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names")
def test_a_pipe_in_a_list_s_or_a_mask_s_place_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "list.csv")
    with pytest.raises(InputError, match="not a regular file"):
        text.read_bytes(tmp_path / "list.csv")
    with pytest.raises(ImageReadError, match="not a regular file"):
        masks._content(tmp_path / "list.csv")


def test_only_the_beginning_of_a_list_is_looked_at_for_its_header() -> None:
    assert len(tables._beginning("image,label\n" + "a.png,0\n" * 100_000)) < 50
    assert tables._beginning("# x\r\n\r\nimage,label\r\na.png,0") == ["# x", "", "image,label", "a.png,0"]
    assert len(tables._beginning("\n" * 300_000)) == 100_000


def test_labels_that_only_a_list_for_training_tells_are_used(tmp_path: Path) -> None:
    """Kaggle's train_images/, test_images/ and train.csv: pictures of which nothing is known are no normal ones."""
    for place in ("train_images/a", "train_images/b", "train_images/c", "test_images/d"):
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.new("L", (8, 8), 90).save(tmp_path / f"{place}.png")
    (tmp_path / "train.csv").write_text("ImageId,EncodedPixels\nb.png,1 8\n")
    dataset = open_dataset(tmp_path)
    assert {item.image.name: item.label for item in dataset.items} == {"a.png": 0, "b.png": 1, "c.png": 0}
    assert any("train.csv is read as the test split" in note for note in dataset.notes)
    with pytest.raises(InputError):
        open_dataset(tmp_path / "test_images")


def packed(*names: str) -> bytes:
    """A ZIP of that name's members, as office programs write it."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, f"<{name}/>" * 20)
    return target.getvalue()


DOCUMENTS = {
    "an Excel workbook, no text; save its labels as CSV": packed("[Content_Types].xml", "xl/workbook.xml"),
    "an Excel workbook (.xls), no text": b"\xd0\xcf\x11\xe0" + bytes(508) + "Workbook".encode("utf-16-le"),
    "an OpenDocument spreadsheet, no text": b"PK\3\4" + bytes(26) + b"application/vnd.oasis.opendocument.spreadsheet",
    "a PDF document, no text": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n",
    "a ZIP archive (unpack it first), no text; give the list as CSV": packed("labels.csv"),
    "a web page (HTML), no list; download": "<table><tr><td>good/0.png".encode("utf-16"),
    "a web page (HTML), no list; download the file itself": b"\xef\xbb\xbf\n<!DOCTYPE html>\n<html><a>good/0.png</a>,1",
    "a picture (PNG), no text": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\0\0\0\0",
}


@pytest.mark.parametrize("told", DOCUMENTS)
def test_a_document_under_the_name_of_a_text_is_named(folder: Path, told: str) -> None:
    for name in ("labels.csv", "meta.json"):
        (folder / name).write_bytes(DOCUMENTS[told])
        with pytest.raises(InputError) as refused:
            open_dataset(folder / name)
        assert f"{name}: it is {told}" in str(refused.value)
    (folder / "meta.json").unlink()
    assert f"it is {told}" in "\n".join(open_dataset(folder).problems)
