"""`reproduce --table mutual`: the words' line is Table 1's cell, the batch's has scores of its own."""

from __future__ import annotations

from collections.abc import Callable

from anomalyclip.reproduction import ReproduceConfig, reproduce


def test_both_lines_stand_beside_published_figures(call: Callable[..., ReproduceConfig]) -> None:
    config = call(tables=("mutual",), datasets=("VisA",), prompts="clip", train=False)
    report = reproduce(config)[0]
    assert not report.skipped
    rows = {(row.variant, row.metric): row for row in report.rows}
    assert {variant for variant, _ in rows} == {"words alone", "words and the batch"}
    assert rows["words and the batch", "image_auroc"].paper == 92.8
    assert rows["words alone", "image_auroc"].paper == 82.1
    assert len(list((config.output / "cells").iterdir())) == 2
