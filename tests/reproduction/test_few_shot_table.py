"""`reproduce --table few-shot`: ours on stand-ins beside the published figures, never mistaken for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from anomalyclip.cli import app
from anomalyclip.data.standins import make_standin
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.reproduction.few_shot import MEASURES, OURS, published

RUN = CliRunner()


def test_the_carried_figures_are_numbers_with_sources() -> None:
    lines = published()
    assert {line.dataset for line in lines} == {"MVTec AD", "VisA"}
    for line in lines:
        figures = [getattr(line, metric) for metric in MEASURES]
        assert all(value is None or 30 < value <= 100 for value in figures)
        assert any(value is not None for value in figures)
        assert line.source
        assert 1 <= line.shots <= 16
    known = {(one.method, one.dataset, one.shots): one for one in lines if one.method == "PatchCore"}
    four = known["PatchCore", "VisA", 4]
    assert (four.image_auroc, four.pixel_auroc, four.aupro) == (85.3, 96.8, 84.9)  # METHOD_MEMORY, section 6
    again = {(line.method, line.backbone, line.dataset, line.shots, line.source) for line in lines}
    assert len(again) == len(lines)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    make_standin(folder, "MVTec AD", per_class=8, classes=1, size=64)
    return folder


def test_ours_stand_beside_the_published(root: Path, golden_folder: Path, tmp_path: Path) -> None:
    small = ["--model", str(golden_folder / "clip_small_openai.safetensors"), "--image-size", "70", "--device", "cpu"]
    small += ["--prompts", str(golden_folder / "epoch_1.pth"), "--offline"]
    call = ["reproduce", str(root), "--table", "few-shot", *small, "-o", str(tmp_path / "out"), "--format", "json"]
    result = RUN.invoke(app, [*call, "-q"])
    assert result.exit_code == 0, (result.output, result.exception)
    told = json.loads(result.stdout)
    ours = [row for row in told if row["source"] == OURS]
    assert {row["method"] for row in ours} >= {"auto (ours)", "patchcore (ours)", "anomalydino (ours)"}
    assert all("ViT" not in row["backbone"] for row in ours)
    assert {row["method"] for row in told} >= {"PatchCore", "WinCLIP+", "APRIL-GAN"}
    assert all(row["dataset"] == "MVTec AD" for row in told)
    assert (tmp_path / "out/few-shot.md").read_text().count("\n") == len(told) + 2
    files = {path.name for path in (tmp_path / "out/few-shot/MVTec-AD-auto").iterdir()}
    assert {"metrics.json", "few_shot.jsonl"} <= files


def test_nothing_to_measure_is_told(tmp_path: Path, root: Path) -> None:
    result = RUN.invoke(app, ["reproduce", str(root), "--table", "few-shot", "--datasets", "VisA", "-o", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    result = RUN.invoke(app, ["reproduce", str(root), "--table", "few-shots", "-o", str(tmp_path)])
    assert isinstance(result.exception, ConfigError)
