"""The carried figures against values read off the paper's tables by eye, and the tolerances' edges."""

from __future__ import annotations

import pytest

from anomalyclip.data import KNOWN
from anomalyclip.reproduction import METHODS, TABLES, TOLERANCES, paper_figures
from anomalyclip.reproduction.pages import metrics_of
from anomalyclip.reproduction.paper import Key, published, verdict
from anomalyclip.reproduction.plan import Towers


@pytest.mark.parametrize(
    ("table", "dataset", "method", "values"),
    [
        ("T1_industrial", "MVTec AD", "AnomalyCLIP", (91.5, 96.2, 91.1, 81.4)),
        ("T1_industrial", "VisA", "AnomalyCLIP", (82.1, 85.4, 95.5, 87.0)),
        ("T1_industrial", "BTAD", "CLIP", (34.5, 52.5, 30.6, 4.4)),
        ("T2_medical", "HeadCT", "AnomalyCLIP", (93.4, 91.6, None, None)),
        ("T3_medical_finetuned", "COVID-19", "VAND", (15.5, 8.5, None, None)),
        ("T3_medical_finetuned", "TN3K", "AnomalyCLIP", (None, None, 79.2, 47.0)),
        ("T4_module_ablation", "MVTec AD", "+T1(DPAM)", (66.3, 83.3, 68.4, 47.4)),
        ("T5_context_ablation", "VisA", "local=no,global=yes", (82.2, 84.9, 86.6, 78.1)),
        ("T1_industrial", "DTD-Synthetic", "CoOp", (None, None, None, None)),  # "-" in the paper
    ],
)
def test_spot_values(table: str, dataset: str, method: str, values: tuple[float | None, ...]) -> None:
    metrics = ("image_auroc", "image_ap", "pixel_auroc", "aupro")
    assert tuple(published(table, dataset, method, metric) for metric in metrics) == values


def test_every_line_of_every_table_has_its_figures() -> None:
    """A name misspelt in our tables would silently leave the paper's column empty."""
    unprinted = {("T1_industrial", "DTD-Synthetic", "CoOp")}
    for table in TABLES.values():
        if table.paper is None:
            continue
        for target in table.targets:
            for variant in table.lines(Towers(24, 12), tuple(METHODS)):
                if variant.paper is None or (table.paper, target, variant.paper) in unprinted:
                    continue
                for metric in metrics_of(target):
                    assert Key(table.paper, target, variant.paper, metric) in paper_figures(), (table.name, variant)


def test_every_figure_of_the_five_tables_is_shown() -> None:
    """And the other way round: no published figure is left out."""
    shown = {
        Key(table.paper, target, variant.paper, metric)
        for table in TABLES.values()
        for target in table.targets
        for variant in table.lines(Towers(24, 12), tuple(METHODS))
        for metric in metrics_of(target)
        if table.paper and variant.paper
    }
    ours = {table.paper for table in TABLES.values()}
    assert {key for key in paper_figures() if key.table in ours} <= shown


def test_data_sets_are_called_as_ours() -> None:
    names = {key.dataset for key in paper_figures() if key.table in {table.paper for table in TABLES.values()}}
    assert names == set(KNOWN)


@pytest.mark.parametrize(("metric", "tolerance"), list(TOLERANCES.items()))
def test_verdict(metric: str, tolerance: float) -> None:
    assert verdict(metric, tolerance) == verdict(metric, -tolerance) == verdict(metric, tolerance + 0.04) == "within"
    assert verdict(metric, tolerance + 0.1) == "above"
    assert verdict(metric, -tolerance - 0.1) == "below"


def test_published_reruns_lie_within_the_tolerances() -> None:
    """The tolerances are meant to hold every rerun that others have published."""
    reruns = [key for key in paper_figures() if key.table == "rerun_of_AnomalyCLIP"]
    assert len(reruns) == 27
    for key in reruns:
        original = published("T1_industrial", key.dataset, "AnomalyCLIP", key.metric)
        assert original is not None
        assert verdict(key.metric, paper_figures()[key] - original) == "within", key
