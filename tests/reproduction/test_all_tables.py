"""Every table of the paper end to end, at the size of CI: stand-ins of all 17 sets, the small CLIP, one epoch."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from anomalyclip.reproduction import METHODS, TABLES, Report, ReproduceConfig, reproduce
from anomalyclip.reproduction.plan import Towers

_TOWERS = Towers(6, 6)  # of the small CLIP


@pytest.fixture(scope="module")
def config(standins: Path, golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> ReproduceConfig:
    folder = tmp_path_factory.mktemp("all")
    return ReproduceConfig(
        root=standins,
        output=folder / "out",
        tables=("all",),
        model=str(golden_folder / "clip_small_openai.safetensors"),
        train=True,
        epochs=1,
        cache_dir=str(folder / "features"),
        device="cpu",
    )


@pytest.fixture(scope="module")
def reports(config: ReproduceConfig) -> list[Report]:
    return reproduce(config)


def test_every_table_is_whole(reports: list[Report]) -> None:
    """Each line of each table on each of its sets, each figure a number, nothing missing or skipped."""
    assert [report.table.name for report in reports] == list(TABLES)
    for report in reports:
        table = report.table
        labels = [variant.label for variant in table.lines(_TOWERS, ("anomalyclip",))]
        expected = {(target, label) for target in table.targets for label in (["gain"] if table.gain else labels)}
        assert {(row.dataset, row.variant) for row in report.rows} == expected
        assert all(row.ours is not None and math.isfinite(row.ours) for row in report.rows)
        assert not report.missing
        assert not report.skipped
        assert not report.left_out


def test_nothing_is_held_against_the_paper(reports: list[Report]) -> None:
    """Another backbone on rendered data: the paper's figures are shown, but neither differences nor flags."""
    for report in reports:
        assert all(row.difference is None and row.verdict is None and row.rendered for row in report.rows)
        if report.table.paper is not None:
            assert all(row.paper is not None for row in report.rows)


@pytest.mark.usefixtures("reports")
def test_every_page_names_its_backbone(config: ReproduceConfig) -> None:
    for name in TABLES:
        markdown, latex = ((config.output / f"table_{name}{suffix}").read_text() for suffix in (".md", ".tex"))
        data = json.loads((config.output / f"table_{name}.json").read_text())
        assert "ours: clip_small_openai.safetensors" in markdown
        assert r"ours: clip\_small\_openai.safetensors" in latex
        assert data["backbone"]["name"] == config.model
        assert {cell["model"]["weights_sha256"] for cell in data["cells"]} == {data["backbone"]["weights_sha256"]}
        assert all(len(cell["model"]["prompts_sha256"]) == 64 for cell in data["cells"])


def test_what_the_ablations_must_agree_on(reports: list[Report]) -> None:
    """Known relations, whatever the data: DPAM leaves image scores alone, and the full model is one everywhere."""
    by_table = {report.table.name: report for report in reports}

    def figures(table: str, label: str, *metrics: str) -> list[float | None]:
        rows = [row for row in by_table[table].rows if row.variant == label and row.dataset == "VisA"]
        return [row.ours for row in rows if not metrics or row.metric in metrics]

    image = ("image_auroc", "image_ap")
    base, local = "base: CLIP's towers and words", "+ T1: V-V attention (DPAM)"
    assert figures("4", base, *image) == figures("4", local, *image)
    assert figures("4", base) != figures("4", local)
    full = figures("1", "AnomalyCLIP")
    same = (("4", "+ T3: learned tokens in the text encoder"), ("5", "global and local loss"), ("length", "length 12"))
    same += (("dpam", "V-V (the method's)"), ("depth", "depth 6"))
    for table, label in same:
        assert figures(table, label) == full
    assert figures("5", "no loss (prompts as initialised)") != full


def test_baselines(config: ReproduceConfig, tmp_path: Path) -> None:
    """All six columns of Table 1 on one set, and both of Table 3."""
    changed = replace(config, output=tmp_path / "out", tables=("1", "3"), methods=("all",), datasets=("BTAD", "TN3K"))
    first, third = reproduce(changed)
    assert [row.variant for row in first.rows if row.dataset == "BTAD" and row.metric == "aupro"] == [
        variant.label for variant in METHODS.values()
    ]
    assert {row.variant for row in third.rows} == {"AnomalyCLIP", "VAND"}
    made_by = {entry.result["model"].get("method") for entry in first.entries}
    assert made_by == {"anomalyclip", "clip", "clip-ac", "winclip", "vand", "coop"}
    btad = {row.ours for row in first.rows if (row.dataset, row.metric) == ("BTAD", "pixel_auroc")}
    assert len(btad) == 6  # six methods, six maps
