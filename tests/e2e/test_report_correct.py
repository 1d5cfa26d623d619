"""A region is corrected in a real report by its button; `anomalyclip correct` takes the file that the report saves."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import sync_playwright

from anomalyclip.calibration import read_profile
from anomalyclip.cli import main

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def run(*words: object) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    assert not ended.value.code


def parts(folder: Path, count: int, blot: int) -> Path:
    folder.mkdir()
    rng = np.random.default_rng(count)
    for i in range(count):
        pixels = np.full((64, 80, 3), 150, np.uint8) + rng.integers(0, 14, (64, 80, 3), dtype=np.uint8)
        pixels[20 : 20 + blot, 30 : 30 + blot] = (210, 40, 30)
        Image.fromarray(pixels).save(folder / f"{i:02d}.png")
    return folder


def test_a_region_said_in_the_report_reaches_the_profile(
    tmp_path: Path, rows_of: Callable[..., list[dict[str, Any]]]
) -> None:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: run `make browser`, or apt-get install chromium")
    quick = ("--image-size", "64", "--threads", "1", "--quiet")
    line, out = tmp_path / "line.json", tmp_path / "out"
    good = parts(tmp_path / "good", 12, 0)
    run("calibrate", good, "--fpr", "0.1", "--output", line, "--no-self-test", "--no-plot", *quick)
    run("detect", parts(tmp_path / "new", 1, 20), "--profile", line, "--output", out, "--maps", "none", *quick)
    (row,) = rows_of(out)
    assert row["regions"]
    name = row["path"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto((out / "report.html").as_uri())
        page.locator(".pictures").first.click()
        page.select_option("#part", "#region=1")
        page.click("#viewer [data-said=normal]")
        page.keyboard.press("Escape")
        told = page.locator("article").first.evaluate("card => getComputedStyle(card, '::after').content")
        assert told == '"said: false alarm, region 1"'
        with page.expect_download() as waiting:
            page.click("#export")
        waiting.value.save_as(tmp_path / "said.json")
        browser.close()
    assert json.loads((tmp_path / "said.json").read_text())["normal"] == [f"{name}#region=1"]
    run("correct", out, "--profile", line, "--said-in", tmp_path / "said.json", "--quiet")
    corrections = read_profile(line).corrections
    assert corrections is not None
    assert (corrections.regions, corrections.false_alarms, corrections.faulty) == (1, 0, 0)
