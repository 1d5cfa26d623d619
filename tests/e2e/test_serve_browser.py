"""A new user's way through the page, in a real browser: look, calibrate, decide, save; phone, dark and keys.

With ANOMALYCLIP_SCREENSHOTS=FOLDER (`make screenshots`) it runs on rendered boards with `pocket` and leaves the
pictures of docs/serve.md there; otherwise on drawn images with the small CLIP of tests/golden. The state of the page is
compared, never its pixels.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect, sync_playwright

from anomalyclip.calibration import read_profile
from anomalyclip.detect.result import COLUMNS
from anomalyclip.geometry.regions import find_regions

SHOTS = os.environ.get("ANOMALYCLIP_SCREENSHOTS")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NORMALS = 25
expect.set_options(timeout=60_000)


@dataclass
class Desk:
    """A page that is open on a running server, and the images to drop on it."""

    page: Page
    odd: list[Path]
    normals: list[Path]
    broken: Path
    downloads: Path
    errors: list[str] = field(default_factory=list)

    def __call__(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def shot(self, name: str, full: bool = False) -> None:
        if SHOTS:
            self.page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=full)

    def save(self, kind: str) -> Path:
        with self.page.expect_download() as waiting:
            self(kind).click()
        target = self.downloads / waiting.value.suggested_filename
        waiting.value.save_as(target)
        return target

    def slide(self, selector: str, *keys: str) -> None:
        self(selector).focus()
        for key in keys:
            self.page.keyboard.press(key)


def _drawn(folder: Path) -> tuple[list[Path], list[Path]]:
    """Noise; the odd ones with a square in it."""
    rng = np.random.default_rng(5)
    paths = []
    for i in range(NORMALS + 3):
        pixels = rng.integers(90, 150, (96, 128, 3), dtype=np.uint8)
        if i < 3:
            pixels[30:50, 40 + 9 * i : 70 + 9 * i] = (240, 20, 30)
        paths.append(folder / f"part {i:02d}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths[:3], paths[3:]


def _rendered(folder: Path) -> tuple[list[Path], list[Path]]:
    """Renders that no model learned from: photographs in the documentation would need their owners' consent."""
    from anomalyclip.data.synthetic import render
    from anomalyclip.pretraining.recipe import UNSEEN_SEED

    paths = []
    for i in range(NORMALS + 5):
        sample = render(UNSEEN_SEED + i, 480, anomalous=i < 5, families=("wood",))
        paths.append(folder / f"board-{i:02d}.png")
        Image.fromarray(sample.image).save(paths[-1])
    return paths[:5], paths[5:]


@pytest.fixture(scope="module")
def address(small_model: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`anomalyclip serve` as a user starts it, on a free port."""
    options = [] if SHOTS else small_model
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", "0", "--drain", "0", *options]
    log = (tmp_path_factory.mktemp("browser") / "log").open("wb")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"})
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if found := re.search(rb"Open (http://\S+)", line):
                break
        else:
            pytest.fail("the server did not start")
        drain = subprocess.Popen(["cat"], stdin=process.stderr, stdout=log)
        yield found.group(1).decode()
        process.terminate()
        assert process.wait(60) == 0
        drain.wait(60)
    finally:
        process.kill()
        process.wait(60)
        log.close()
        if process.stderr is not None:
            process.stderr.close()


@pytest.fixture(scope="module")
def desk(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: run `make browser`, or apt-get install chromium")
    folder = tmp_path_factory.mktemp("images")
    odd, normals = (_rendered if SHOTS else _drawn)(folder)
    broken = folder / "notes.png"
    broken.write_text("no image")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light", accept_downloads=True)
        here = Desk(page, odd, normals, broken, tmp_path_factory.mktemp("downloads"))
        page.on("pageerror", lambda error: here.errors.append(str(error)))
        page.on("console", lambda message: here.errors.append(message.text) if message.type == "error" else None)
        page.on(
            "request", lambda request: here.errors.append(request.url) if _elsewhere(request.url, address) else None
        )
        page.goto(address)
        yield here
        browser.close()
    assert here.errors == [], "no script fails, nothing is loaded from elsewhere"


def _elsewhere(url: str, address: str) -> bool:
    return not url.startswith((address, "blob:", "data:"))


def test_it_starts_with_an_invitation(desk: Desk) -> None:
    expect(desk("#drop .drop-title")).to_have_text("Drop images here")
    expect(desk("#viewer")).to_be_hidden()
    expect(desk("#model")).to_have_text("pocket" if SHOTS else "clip_small_openai.safetensors")
    desk.shot("1-start")


def test_dropped_images_are_scored_and_a_broken_one_says_why(desk: Desk) -> None:
    desk.page.set_input_files("#files", [*desk.odd, *desk.normals[:2], desk.broken])
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ anomalous, \d+ normal, 1 failed$"))
    assert desk("#list .item").count() == len(desk.odd) + 3
    expect(desk("#name")).to_have_text(desk.odd[0].name)
    expect(desk("#facts")).to_have_text(re.compile(r"\d+ × \d+ pixels"))
    assert re.fullmatch(r"[<>]? ?[01]\.\d+", desk("#score").inner_text())
    desk("#list .item").last.click()
    expect(desk("#problem")).to_contain_text("not an image")
    desk("#list .item").first.click()
    expect(desk("#problem")).to_be_hidden()
    desk.shot("2-look")


def test_the_threshold_decides_at_once(desk: Desk) -> None:
    desk.slide("#threshold", "Home")
    scored = len(desk.odd) + 2
    expect(desk("#tally")).to_have_text(f"{scored} anomalous, 0 normal, 1 failed")
    expect(desk("#decision")).to_have_text("anomalous")
    desk.slide("#threshold", "End")
    expect(desk("#tally")).to_have_text(f"0 anomalous, {scored} normal, 1 failed")
    expect(desk("#decision")).to_have_text("normal")
    desk.slide("#pixel-threshold", "Home")
    expect(desk("#regions tr")).to_have_count(1)
    expect(desk("#regions tr")).to_contain_text("100.0%")
    desk.slide("#pixel-threshold", "End", "ArrowLeft")
    expect(desk("#pixel-threshold")).to_have_attribute("aria-valuetext", re.compile("0.999|> 0.99"))


def test_views_by_keys(desk: Desk) -> None:
    desk("#name").click()
    for key, mode, shown in (("2", "overlay", False), ("3", "map", False), ("1", "side", True)):
        desk.page.keyboard.press(key)
        expect(desk("#stage")).to_have_attribute("data-mode", mode)
        expect(desk("[data-pane=original]")).to_be_visible(visible=shown)
    desk.page.keyboard.press("ArrowDown")
    expect(desk("#name")).to_have_text(desk.odd[1].name)
    expect(desk("#list .item").nth(1)).to_be_focused()
    desk.page.keyboard.press("ArrowUp")
    expect(desk("#name")).to_have_text(desk.odd[0].name)
    desk.page.keyboard.press("?")
    expect(desk("#help")).to_be_visible()
    desk.page.keyboard.press("Escape")
    expect(desk("#help")).to_be_hidden()


def test_keys_live_on_after_a_click_on_a_control(desk: Desk) -> None:
    desk(".modes label").nth(1).click()
    desk.page.keyboard.press("3")
    expect(desk("#stage")).to_have_attribute("data-mode", "map")
    desk("#threshold").click()
    desk.page.keyboard.press("1")
    expect(desk("#stage")).to_have_attribute("data-mode", "side")
    desk.page.keyboard.press("ArrowDown")
    expect(desk("#name")).to_have_text(desk.odd[1].name)
    desk.page.keyboard.press("ArrowUp")


def test_one_slider_leaves_the_other_alone(desk: Desk) -> None:
    before = desk("#pixel-threshold-value").inner_text()
    desk.slide("#threshold", "End", "ArrowLeft")
    expect(desk("#threshold-value")).not_to_have_text("0.500")
    expect(desk("#pixel-threshold-value")).to_have_text(before)


def test_zoom_shows_the_same_part_in_both_panes(desk: Desk) -> None:
    desk("#name").click()
    desk.page.keyboard.press("+")
    desk.page.keyboard.press("+")
    expect(desk("#zoom-value")).to_have_text(re.compile(r"2\.[23]×"))
    transforms = [desk(pane).evaluate("e => getComputedStyle(e).transform") for pane in ("#original", "#heat")]
    assert transforms[0] == transforms[1] != "none"
    inside = desk(".lens").nth(1).bounding_box()
    assert inside is not None
    desk.page.mouse.move(inside["x"] + 5, inside["y"] + 5)
    expect(desk("#readout")).to_have_text(re.compile(r"\d+, \d+: "))
    corner = [int(word) for word in re.findall(r"\d+", desk("#readout").inner_text())[:2]]
    width, height = (480, 480) if SHOTS else (128, 96)
    assert corner[0] > 0.2 * width, "the corner of the pane is inside the picture"
    assert corner[1] > 0.2 * height
    desk.page.keyboard.press("0")
    expect(desk("#zoom-value")).to_have_text("1×")


def test_the_list_shows_what_is_asked_for(desk: Desk) -> None:
    desk.slide("#threshold", "Home")
    desk("#filter").select_option("failed")
    expect(desk("#list li")).to_have_count(1)
    desk("#filter").select_option("anomalous")
    expect(desk("#list li")).to_have_count(len(desk.odd) + 2)
    desk("#filter").select_option("")
    expect(desk("#list li")).to_have_count(len(desk.odd) + 3)


def test_too_few_normals_say_how_many_it_takes(desk: Desk) -> None:
    desk.page.set_input_files("#normals", desk.normals)
    desk("#rate").select_option("0.01")
    expect(desk("#normals-count")).to_have_text(f"{NORMALS} normal images. 1% needs at least 99.")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("25 images support 3.8% at best; 1% needs 99.")


def test_calibration_sets_thresholds_with_a_guarantee(desk: Desk) -> None:
    desk("#rate").select_option("0.05")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("Thresholds are set")
    expect(desk("#profile")).to_have_value("my-parts")
    expect(desk("#guarantee")).to_contain_text("At most 5% of normal images")
    expect(desk("#p-value")).to_be_visible()
    desk.shot("3-calibrated")
    expect(desk("#progress")).to_be_hidden()  # all pictures are judged anew by the memory
    profile = read_profile(desk.save("#save-profile"))
    assert (profile.count, profile.image.rate) == (NORMALS, 0.05)
    rows = _saved_rows(desk)
    for row in rows:
        if row["score"] is not None:
            assert row["decision"] == profile.decide(row["score"])
            assert row["p_value"] == pytest.approx(profile.p_value(row["score"]))
            assert row["settings"]["threshold"] == profile.image_threshold


def _saved_rows(desk: Desk) -> list[dict[str, Any]]:
    saved = desk.save("[data-save=jsonl]")
    rows = [json.loads(line) for line in saved.read_text("utf-8").splitlines()]
    with desk.save("[data-save=csv]").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [cells["path"] for cells in table] == [row["path"] for row in rows]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["error"] is None for row in rows] == [True] * (len(rows) - 1) + [False]
    return rows


def test_a_click_on_a_region_shows_its_nearest_good_patch(desk: Desk) -> None:
    """By the row and by the picture; the good patch is not blank, and is of a normal image."""
    expect(desk("#regions tr").first).to_be_visible()
    desk("#regions tr button").first.click()
    names = "|".join(re.escape(path.name) for path in desk.normals)
    expect(desk("#beside-words")).to_have_text(re.compile(rf"nearest good patch lies in ({names}); distance 0\.\d+"))
    expect(desk("#beside-good")).to_be_visible()
    for canvas in ("#beside-own", "#beside-good"):
        painted = f"""() => {{ const c = document.querySelector("{canvas}");
            return new Set(c.getContext("2d").getImageData(0, 0, c.width, c.height).data).size > 10; }}"""
        desk.page.wait_for_function(painted)
    desk.shot("6-beside")
    desk("#beside-close").click()
    expect(desk("#beside")).to_be_hidden()
    peak = desk("#regions tr").first.locator("td").last.inner_text()
    width, height, x, y = map(int, re.findall(r"\d+", peak))
    own = desk("#facts").inner_text()
    across, down = map(int, re.findall(r"\d+", own)[:2])
    box = desk("#heat").bounding_box()
    assert box is not None
    scale = min(box["width"] / across, box["height"] / down)
    left, top = (box["width"] - across * scale) / 2, (box["height"] - down * scale) / 2
    desk("#heat").click(position={"x": left + (x + width / 2) * scale, "y": top + (y + height / 2) * scale})
    expect(desk("#beside-words")).to_contain_text("nearest good patch")


def test_a_saved_profile_comes_back(desk: Desk) -> None:
    saved = desk.save("#save-profile")
    content = json.loads(saved.read_text("utf-8"))
    assert set(content["memories"]) == {"my-parts"}
    content["profiles"][0]["name"] = "again"
    content["memories"] = {"again": content["memories"]["my-parts"]}
    other = desk.downloads / "again.json"
    other.write_text(json.dumps(content))
    desk.page.set_input_files("#profile-file", other)
    expect(desk("#calibrated")).to_contain_text("again is back: 25 normal images, 25 of them remembered")
    expect(desk("#profile")).to_have_value("again")
    expect(desk("#progress")).to_be_hidden()


@pytest.mark.skipif(bool(SHOTS), reason="compares with the small CLIP")
def test_regions_of_the_page_are_those_of_detect(desk: Desk, golden_folder: Path) -> None:
    """The page finds them in float16 maps of the image's own size: equal but for pixels on the threshold itself."""
    from anomalyclip.opening import from_files

    model = from_files(
        golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth", layers=[2, 4, 6], image_size=70
    )
    prediction = model.detect(desk.odd[0], profile=read_profile(desk.downloads / "again.json"))
    halves = prediction.anomaly_map.astype(np.float16).astype(np.float32)
    desk("#pixel-threshold").evaluate("slider => { slider.value = 0.53; slider.dispatchEvent(new Event('input')); }")
    expect(desk("#progress")).to_be_hidden()
    row = _saved_rows(desk)[0]
    threshold = row["settings"]["pixel_threshold"]
    assert halves.min() < threshold < halves.max()
    wanted = find_regions(halves, threshold)
    assert [region["box"] for region in row["regions"]] == [region["box"] for region in wanted]
    assert [region["area"] for region in row["regions"]] == [region["area"] for region in wanted]
    assert [region["peak"] for region in row["regions"]] == pytest.approx([region["peak"] for region in wanted])


@pytest.mark.parametrize("zone", ["#drop", "#viewer"])
def test_files_dropped_from_the_desktop(desk: Desk, zone: str) -> None:
    before = desk("#list .item").count()
    content = base64.b64encode(desk.odd[1].read_bytes()).decode()
    transfer = desk.page.evaluate_handle(
        """([content, name]) => {
            const transfer = new DataTransfer();
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            transfer.items.add(new File([bytes], name, { type: "image/png" }));
            return transfer;
        }""",
        [content, "dropped.png"],
    )
    desk.page.dispatch_event(zone, "dragover", {"dataTransfer": transfer})
    desk.page.dispatch_event(zone, "drop", {"dataTransfer": transfer})
    expect(desk("#list .item")).to_have_count(before + 1)
    expect(desk("#list .item .number").nth(before)).to_have_text(desk("#list .item .number").nth(1).inner_text())


def test_the_picture_can_be_saved(desk: Desk) -> None:
    with Image.open(desk.save("[data-save=png]")) as picture, Image.open(desk.odd[0]) as original:
        assert picture.size == original.size
        assert np.asarray(picture.convert("RGB")).std() > 0


def test_everything_has_a_name_for_those_who_listen(desk: Desk) -> None:
    controls = desk(
        "button:visible, input:visible, select:visible, canvas:not([aria-hidden]):visible, svg[role=img]:visible"
    )
    nameless = [
        control.evaluate("element => element.outerHTML.slice(0, 80)")
        for control in controls.all()
        if not control.evaluate(
            "e => e.getAttribute('aria-label') || e.textContent.trim() || (e.labels && e.labels.length) || e.title"
        )
    ]
    assert nameless == []
    assert desk.page.title() == "anomalyclip"


def test_pictures_outlive_a_reload(desk: Desk) -> None:
    names = desk("#list .item").evaluate_all("items => items.map((item) => item.title)")
    desk.page.reload()
    expect(desk("#list .item")).to_have_count(len(names))
    expect(desk("#status")).to_contain_text("from before the reload")
    assert desk("#list .item").evaluate_all("items => items.map((item) => item.title)") == names
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ anomalous, \d+ normal, 1 failed$"))


def test_what_could_not_be_asked_is_offered_again(desk: Desk) -> None:
    count = desk("#list .item").count()
    desk.page.route("**/v1/detect**", lambda route: route.abort())
    desk.page.set_input_files("#files", [desk.odd[2]])
    expect(desk("#retry")).to_be_visible()
    expect(desk("#list .state").nth(count)).to_have_text("not looked at")
    desk.page.unroute("**/v1/detect**")
    desk.errors[:] = [line for line in desk.errors if "ERR_FAILED" not in line]
    desk("#retry").click()
    expect(desk("#list .item .number").nth(count)).to_have_text(re.compile(r"\d"))
    expect(desk("#retry")).to_be_hidden()


def test_a_wrong_key_is_told(desk: Desk) -> None:
    answers = iter([401, 401])

    def guard(route: Any) -> None:
        status = next(answers, None)
        if status is None:
            route.continue_()
        else:
            route.fulfill(status=status, json={"error": {"kind": "unauthorized", "message": "no"}})

    desk.page.route("**/v1/detect**", guard)
    desk.page.set_input_files("#files", [desk.odd[0]])
    expect(desk("#key-dialog")).to_be_visible()
    expect(desk("#key-wrong")).to_be_hidden()
    desk("#key").fill("guess")
    desk("#key-dialog button").click()
    expect(desk("#key-wrong")).to_be_visible()
    desk("#key").fill("right")
    desk("#key-dialog button").click()
    expect(desk("#key-dialog")).to_be_hidden()
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ anomalous, \d+ normal, 1 failed$"))
    desk.page.unroute("**/v1/detect**")
    desk.errors[:] = [line for line in desk.errors if "401" not in line]


def test_dark_and_phone(desk: Desk) -> None:
    desk("#theme").click()
    expect(desk("html")).to_have_attribute("data-theme", "dark")
    desk.page.keyboard.press("2")
    desk.shot("4-dark")
    background = desk("body").evaluate("body => getComputedStyle(body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", background)[:3])) < 60
    desk.page.set_viewport_size({"width": 390, "height": 844})
    overflow = desk("html").evaluate("html => html.scrollWidth - html.clientWidth")
    assert overflow == 0, "nothing is wider than a phone"
    desk("#theme").click()
    desk.shot("5-phone", full=True)
    desk("#clear").click()
    expect(desk("#viewer")).to_be_hidden()
