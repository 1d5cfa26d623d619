"""report.html in a real browser: another threshold is tried, corrections become a command, nothing else is loaded."""

from __future__ import annotations

import base64
import io
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from anomalyclip.detect import InputItem, OutputFolder, Provenance, Result, Thumbnails, write_report
from anomalyclip.detect.names import path_key
from anomalyclip.geometry import Region

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PIXEL = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"
FLOWN = "document.querySelectorAll('article')[200].scrollIntoView({ block: 'center' })"
SCORES = [0.02, 0.3, 0.45, 0.6, 0.97]


@pytest.fixture
def report(tmp_path: Path) -> Callable[..., Path]:
    def build(scores: list[float]) -> Path:
        with OutputFolder(tmp_path / "out", "overwrite") as folder:
            folder.begin(Provenance("m", "p", {"threshold": 0.5}), files={}, cwd="/data")
            for i, score in enumerate(scores):
                name = f"it's {i}.png"
                folder.append(
                    Result(
                        InputItem(f"/data/{name}", str(i), path_key(f"/data/{name}")),
                        width=8,
                        height=6,
                        score=score,
                        decision="anomalous" if score >= 0.5 else "normal",
                        thumbnails=Thumbnails(PIXEL, PIXEL),
                    )
                )
        return write_report(folder.path, folder.key_of)

    return build


def region(*box: int) -> Region:
    x, y, width, height = box
    return Region(box=list(box), area=width * height, peak=0.9, mean=0.8, peak_xy=[x, y], centroid=[float(x), float(y)])


def test_a_chosen_region_is_framed_where_it_lies(tmp_path: Path) -> None:
    """In a picture that is shown with room above and below: 320 by 160, of 3,200 by 1,600 pixels."""
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: run `make browser`, or apt-get install chromium")
    buffer = io.BytesIO()
    Image.new("RGB", (320, 160), (40, 40, 40)).save(buffer, "PNG")
    shown = "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
    with OutputFolder(tmp_path / "out", "overwrite") as folder:
        folder.begin(Provenance("m", "p", {"threshold": 0.5}), files={}, cwd="/data")
        item = InputItem("/data/a.png", "0", path_key("/data/a.png"))
        regions = [region(0, 0, 10, 10), region(1600, 400, 800, 800)]
        thumbnails = Thumbnails(shown, shown)
        folder.append(Result(item, 3200, 1600, 0.9, decision="anomalous", regions=regions, thumbnails=thumbnails))
    path = write_report(folder.path, folder.key_of)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 800})
        page.goto(path.as_uri())
        page.locator(".pictures").click()
        expect(page.locator(".large i").first).to_be_hidden()
        page.select_option("#part", "#region=2")
        for place in (0, 1):
            page.wait_for_function("at => document.querySelectorAll('.large img')[at].naturalWidth", arg=place)
            picture = page.locator(".large img").nth(place).bounding_box()
            frame = page.locator(".large i").nth(place).bounding_box()
            assert picture is not None
            assert frame is not None
            wide = min(picture["width"], 2 * picture["height"])
            left = picture["x"] + (picture["width"] - wide) / 2
            top = picture["y"] + (picture["height"] - wide / 2) / 2
            wanted = {"x": left + wide / 2, "y": top + wide / 8, "width": wide / 4, "height": wide / 4}
            assert frame == pytest.approx(wanted, abs=2)
        page.set_viewport_size({"width": 390, "height": 844})
        ends = page.locator("#viewer :is(button, select)").evaluate_all(
            "all => all.map(one => one.getBoundingClientRect()).map(box => [box.right, box.bottom])"
        )
        right, bottom = np.max(ends, axis=0)
        assert (len(ends), right < 390, bottom < 844) == (6, True, True), "a telephone shows every button"
        browser.close()


def test_a_threshold_is_tried_and_corrections_become_a_command(report: Callable[..., Path]) -> None:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: run `make browser`, or apt-get install chromium")
    path = report(SCORES)
    errors: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(path.as_uri())
        expect(page.locator(".tile.anomalous b")).to_have_text("2")
        # Position p stands for the score 1 / (1 + 9999^(1 - 2p)): 0.46 is 0.324.
        page.evaluate("c = document.getElementById('cut'); c.value = 0.46; c.dispatchEvent(new Event('input'))")
        expect(page.locator("#counts")).to_have_text("0.324: 3 anomalous, 2 normal")
        expect(page.locator(".tile.anomalous b")).to_have_text("3")
        assert page.locator(".badge").all_inner_texts() == ["anomalous"] * 3 + ["normal"] * 2
        page.click("#back")
        expect(page.locator(".tile.normal b")).to_have_text("3")
        assert page.locator(".badge").all_inner_texts() == ["anomalous"] * 2 + ["normal"] * 3
        page.locator(".pictures").nth(0).click()
        page.click("#viewer [data-said=normal]")
        page.keyboard.press("ArrowRight")
        page.click("#viewer [data-said=faulty]")
        page.keyboard.press("Escape")
        with page.expect_download() as waiting:
            page.click("#export")
        assert json.loads(waiting.value.path().read_text()) == {
            "format": "anomalyclip-said", "normal": ["/data/it's 4.png"], "faulty": ["/data/it's 3.png"],
        }  # fmt: skip
        said = page.inner_text("#command")
        assert said.startswith(f"anomalyclip correct {path.parent} --profile line.json --normal ")
        assert shlex.split(said)[5:] == ["--normal", "/data/it's 4.png", "--faulty", "/data/it's 3.png"]
        page.fill("#find", "nothing of that name")
        expect(page.locator("#none")).to_be_visible()
        expect(page.locator("article")).to_have_count(0)
        page.fill("#find", "")
        page.select_option("#sort", "low")
        page.evaluate("c = document.getElementById('cut'); c.value = 0.46; c.dispatchEvent(new Event('input'))")
        page.click("#back")
        assert page.locator(".badge").all_inner_texts() == ["normal"] * 3 + ["anomalous"] * 2, "each its own again"
        page.emulate_media(media="print", color_scheme="dark")
        expect(page.locator(".cut")).to_be_hidden()
        expect(page.locator(".controls")).to_be_hidden()
        for theme in ("", "dark"):  # the system's, and that of the button
            page.evaluate("theme => (document.documentElement.dataset.theme = theme)", theme)
            ground = page.locator("body").evaluate("body => getComputedStyle(body).backgroundColor")
            assert ground == "rgb(255, 255, 255)", "paper is white"
        page.evaluate("delete document.documentElement.dataset.theme")
        tops = [page.locator("article").nth(place).bounding_box()["y"] for place in range(4)]
        assert tops[0] == tops[1] == tops[2] < tops[3], "three in a line"
        page.emulate_media(media="screen", color_scheme="light")
        page.goto(report([i / 400 for i in range(400)]).as_uri())
        expect(page.locator("article h2").first).to_be_visible()
        assert page.locator("article").count() == 400
        assert page.locator("article h2").count() < 200, "cards far from the view stay folded"
        page.locator("article").last.scroll_into_view_if_needed()
        expect(page.locator("article").last.locator("h2")).to_have_text("/data/it's 0.png")
        expect(page.locator("article").nth(100).locator("h2")).to_have_count(0)
        expect(page.locator("#printed")).to_be_hidden()
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        expect(page.locator("#printed")).to_have_text("")  # all 400 are printed
        page.evaluate(FLOWN)
        expect(page.locator("article").nth(200)).to_be_in_viewport()  # its name, while it flies past
        expect(page.locator("article").nth(200).locator("h2")).to_have_text("/data/it's 199.png")
        page.goto(report([i / 600 for i in range(600)]).as_uri())
        page.select_option("#sort", "low")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.emulate_media(media="print")
        expect(page.locator("#printed")).to_have_text("The first 500 of 600 pictures that were shown.")
        expect(page.locator("#printed")).to_be_visible()
        assert page.locator("article:has(h2)").count() >= 500
        assert page.locator("article").nth(499).locator("h2").count() == 1
        browser.close()
    assert errors == []
