"""Tables say what the numbers are, also where there are none; and names cannot break them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from anomalyclip.evaluation import METRICS, ClassResult, Evaluation, ImageRow, save
from anomalyclip.evaluation.result import Counts
from anomalyclip.evaluation.tables import as_json, as_latex, as_markdown, footnotes, percent, table_rows

Make = Callable[..., ClassResult]


@pytest.fixture
def one() -> Make:
    def make(name: str, values: list[float | None], *problems: str) -> ClassResult:
        undefined = {
            metric: "there are no masks" for metric, value in zip(METRICS, values, strict=True) if value is None
        }
        rows = tuple(ImageRow(f"{name}/{n}.png", name, "bad", 1, 0.5, problem=p) for n, p in enumerate(problems))
        counts = Counts(4, 2, 2, 4, 4, len(rows))
        return ClassResult(name, dict(zip(METRICS, values, strict=True)), undefined, {}, counts, rows)

    return make


@pytest.fixture
def result(one: Make) -> Evaluation:
    classes = (one("a_b", [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 0.123456]), one("x|y", [0.7, 0.8, 0.9] + [None] * 4, "torn"))
    model = {"model": "pocket", "prompts": "clip", "settings": {"image_size": 70}}
    return Evaluation({"name": "set", "root": "/r", "split": "test", "images": 8}, classes, model, {}, {})


def test_the_mean_skips_nulls_and_says_over_how_many_classes(result: Evaluation) -> None:
    assert result.mean["image_auroc"] == pytest.approx(0.6)
    assert result.mean["aupro"] == 0.123456
    assert table_rows(result)[-1] == [
        "mean", "60.0", "70.0", "80.0", "80.0 (1 of 2)", "90.0 (1 of 2)", "100.0 (1 of 2)", "12.3 (1 of 2)",
    ]  # fmt: skip
    told = json.loads(as_json(result))["mean"]
    assert told["classes_counted"] == dict(zip(METRICS, [2, 2, 2, 1, 1, 1, 1], strict=True))


def test_all_undefined_is_null_with_a_reason(one: Make, result: Evaluation) -> None:
    told = json.loads(as_json(replace(result, classes=(one("x", [None] * 7),))))
    assert [told["mean"][name] for name in METRICS] == [None] * 7
    assert set(told["mean"]["undefined"]) == set(METRICS)
    assert percent(None) in as_markdown(replace(result, classes=(one("x", [None] * 7),)))


def test_footnotes_name_classes_and_reasons(result: Evaluation) -> None:
    assert footnotes(result) == [
        "No pixel metrics for x|y: there are no masks.",
        "1 image left out, wholly or in part, or with a doubtful mask; see problems in metrics.json.",
    ]


def test_markdown_is_a_table_whatever_the_names(result: Evaluation) -> None:
    lines = [line for line in as_markdown(result).splitlines() if line.startswith("|")]
    assert len(lines) == 5
    assert {line.replace("\\|", "").count("|") for line in lines} == {9}
    assert "| **mean** | **60.0** |" in lines[-1]


def test_latex_escapes_and_has_the_columns_it_declares(one: Make, result: Evaluation) -> None:
    text = as_latex(replace(result, classes=(one("50% of_$x^2 & {y}\\", [0.5] * 7), *result.classes)))
    assert "50\\% of\\_\\$x\\textasciicircum{}2 \\& \\{y\\}\\textbackslash{} & 50.0" in text
    assert "x\\textbar{}y & 70.0 & 80.0 & 90.0 & -- & -- & -- & -- \\\\" in text
    assert "{lrrrrrrr}" in text


def test_csv_has_a_row_per_image_and_runs_no_formula(one: Make, result: Evaluation, tmp_path: Path) -> None:
    result = replace(result, classes=(*result.classes, one("=1+1", [0.5] * 7, 'torn, "twice"')))
    save(result, tmp_path / "new/folder")
    with (tmp_path / "new/folder/per_image.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["x|y/0.png", "'=1+1/0.png"]
    assert rows[1] == {
        "image": "'=1+1/0.png", "class": "'=1+1", "kind": "bad", "label": "1", "score": "0.5",
        "pixel_auroc": "", "pixel_ap": "", "aupro": "", "problem": 'torn, "twice"',
    }  # fmt: skip
    assert {path.name for path in (tmp_path / "new/folder").iterdir()} == {
        "metrics.json", "per_image.csv", "metrics.md", "metrics.tex",
    }  # fmt: skip
