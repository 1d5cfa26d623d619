"""Differences, flags and reasons on made-up results, and what the three formats say of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomalyclip.data import KNOWN
from anomalyclip.reproduction import METHODS, TABLES, ReproduceConfig
from anomalyclip.reproduction.cells import Cell, Page, Skipped
from anomalyclip.reproduction.judges import Backbone, Judge
from anomalyclip.reproduction.pages import Entry, Report, make_report
from anomalyclip.reproduction.plan import Towers
from anomalyclip.reproduction.render import as_json, as_latex, as_markdown

PAPERS = Backbone("vit-l-14-336", "a" * 64, Towers(24, 12), "published-mvtec")
POCKET = Backbone("pocket", "b" * 64, Towers(4, 4), "pocket")
HEAD_PAPER = "paper (ViT-L/14@336)"


def result(target: str, mean: dict[str, float | None], images: tuple[int, int] | None = None) -> dict[str, object]:
    """metrics.json of an evaluation whose first class holds all images; by default as many as were published."""
    known = KNOWN[target]
    normal, anomalous = images or known.images or (1, 1)
    counts = [{"normal": normal, "anomalous": anomalous}] + [{"normal": 0, "anomalous": 0}] * (len(known.classes) - 1)
    classes = {name: {**mean, "counts": count} for name, count in zip(known.classes, counts, strict=True)}
    return {"mean": mean, "classes": classes, "model": {"settings": {"image_size": 518}}, "problems": []}


def entry(root: Path, target: str, mean: dict[str, float | None], method: str = "anomalyclip", **more: object) -> Entry:
    images, deviations = more.pop("images", None), more.pop("deviations", ())
    cell = Cell(METHODS[method], target, ("MVTec AD",))
    judge = Judge("x", "published-mvtec (the authors')", deviations=deviations)  # type: ignore[arg-type]
    return Entry(cell, judge, "cells/x", root, {**result(target, mean, images), **more})  # type: ignore[arg-type]


def report(*entries: Entry, backbone: Backbone = PAPERS, table: str = "1", **page: object) -> Report:
    cells = tuple(one.cell for one in entries)
    laid = Page(TABLES[table], cells, page.get("skipped", ()), page.get("missing", ()))  # type: ignore[arg-type]
    return make_report(laid, entries, backbone, ReproduceConfig(Path("data"), Path("out")))


VISA = {"image_auroc": 0.8150, "image_ap": 0.8720, "pixel_auroc": 0.9460, "aupro": None}


def test_differences_and_flags(tmp_path: Path) -> None:
    """VisA in the paper: 82.1, 85.4, 95.5, 87.0; tolerances 1.2, 1.2, 0.5, 2.0."""
    rows = report(entry(tmp_path, "VisA", VISA)).rows
    assert [row.paper for row in rows] == [82.1, 85.4, 95.5, 87.0]
    assert [row.ours for row in rows] == [pytest.approx(v) for v in (81.5, 87.2, 94.6)] + [None]
    assert [row.difference for row in rows] == [pytest.approx(v) for v in (-0.6, 1.8, -0.9)] + [None]
    assert [row.verdict for row in rows] == ["within", "above", "below", None]


@pytest.mark.parametrize(
    ("backbone", "change", "reason"),
    [
        (POCKET, {}, "the backbone is pocket, the paper's is ViT-L/14@336"),
        (PAPERS, {"images": (962, 1199)}, "962 normal and 1199 anomalous images, the published split has 962 and 1200"),
        (PAPERS, {"deviations": ("learned on the moon",)}, "learned on the moon"),
        (PAPERS, {"problems": [{"image": "x", "problem": "y"}]}, "images were left out"),
    ],
)
def test_what_is_not_comparable_gets_no_flag(
    tmp_path: Path, backbone: Backbone, change: dict[str, object], reason: str
) -> None:
    found = report(entry(tmp_path, "VisA", VISA, **change), backbone=backbone)
    assert list(found.reasons) == [reason]
    assert all(row.verdict is None for row in found.rows)
    assert found.rows[0].difference == pytest.approx(-0.6)
    assert f"Not held against the paper: {reason}" in as_markdown(found)


def test_stand_ins_get_no_difference_and_say_so(tmp_path: Path) -> None:
    (tmp_path / "made.json").write_text("{}")
    found = report(entry(tmp_path, "VisA", VISA))
    assert all(row.difference is None and row.rendered for row in found.rows)
    assert "| VisA (rendered) | AnomalyCLIP | image AUROC | 81.5 | 82.1 | – |" in as_markdown(found)


def test_fewer_classes(tmp_path: Path) -> None:
    one = entry(tmp_path, "BTAD", VISA)
    del one.result["classes"]["02"]  # type: ignore[attr-defined]
    assert list(report(one).reasons) == ["2 of 3 classes are there"]


def test_medical_sets_show_what_the_paper_measures(tmp_path: Path) -> None:
    rows = report(entry(tmp_path, "TN3K", VISA), entry(tmp_path, "HeadCT", VISA), table="2").rows
    assert [(row.dataset, row.metric) for row in rows] == [
        ("TN3K", "pixel_auroc"), ("TN3K", "aupro"), ("HeadCT", "image_auroc"), ("HeadCT", "image_ap"),
    ]  # fmt: skip


def test_gains(tmp_path: Path) -> None:
    """Figure 5 shows a difference; the paper's for MPDD is 4.4 points of image AUROC."""
    agnostic, aware = TABLES["figure5"].lines(Towers(24, 12), ())
    means = ({**VISA, "image_auroc": 0.77}, {**VISA, "image_auroc": 0.72, "pixel_auroc": None})
    pair = [
        Entry(Cell(variant, "MPDD", ("MVTec AD",)), Judge(None, "x"), "c", tmp_path, result("MPDD", mean))
        for variant, mean in zip((agnostic, aware), means, strict=True)
    ]
    rows = report(*pair, table="figure5").rows
    assert [(row.variant, row.metric) for row in rows][:2] == [("gain", "image_auroc"), ("gain", "image_ap")]
    assert rows[0].ours == pytest.approx(5.0)
    assert rows[0].difference == pytest.approx(0.6)
    assert (rows[2].ours, rows[2].difference, rows[2].verdict) == (None, None, None)
    assert report(pair[0], table="figure5").rows == ()  # half a pair is no gain


@pytest.mark.parametrize("backbone", [PAPERS, POCKET])
def test_every_format_names_both_backbones(tmp_path: Path, backbone: Backbone) -> None:
    skipped = (Skipped("AnomalyCLIP", "MPDD", "its masks_are 50% gone"),)
    found = report(
        entry(tmp_path, "VisA", VISA), entry(tmp_path, "VisA", VISA, "clip"),
        backbone=backbone, skipped=skipped, missing=("DAGM",),
    )  # fmt: skip
    markdown, latex, data = as_markdown(found), as_latex(found), json.loads(as_json(found))
    head = f"| data set | variant | metric | ours: {backbone.name} | {HEAD_PAPER} | difference | tolerance |"
    assert head in markdown.splitlines()
    assert f"data set & variant & metric & ours: {backbone.name} & {HEAD_PAPER} & difference" in latex
    assert data["backbone"] == {"name": backbone.name, "weights_sha256": backbone.weights_sha256,
                                "is_the_papers": backbone is PAPERS}  # fmt: skip
    assert data["paper"]["backbone"] == "ViT-L/14@336"
    for text in (markdown, latex):
        assert f"backbone {backbone.name} (weights {backbone.weights_sha256[:12]}, 518 px)" in text
        assert "Not found: DAGM (https://" in text
        assert "Not run: MPDD, AnomalyCLIP: its masks_are 50% gone." in text
    assert data["missing"][0]["dataset"] == "DAGM"
    assert data["not_run"] == [{"variant": "AnomalyCLIP", "target": "MPDD", "reason": "its masks_are 50% gone"}]
    # CLIP's own column of the paper, not AnomalyCLIP's
    assert [row["paper"] for row in data["rows"] if row["variant"] == "CLIP"][:1] == [66.4]
    body = latex[latex.index("\\midrule") : latex.index("\\bottomrule")]
    assert body.count(r"\\") == len(found.rows)
    assert ("within 1.2" in markdown) == (backbone is PAPERS)


def test_a_page_without_figures(tmp_path: Path) -> None:
    found = report(missing=tuple(KNOWN)[:7])
    assert "nothing of this table could be run" in as_markdown(found)
    assert as_markdown(found).count("Not found") == 7
    assert json.loads(as_json(found))["rows"] == []
