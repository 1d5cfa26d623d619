"""A new user's way through the page, in a real browser: look, decide, zoom, save; keys, reload, no server, German."""

from __future__ import annotations

import base64
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

SHOTS = os.environ.get("ANOMALYCLIP_SCREENSHOTS")


def test_it_starts_with_an_invitation(desk: Any) -> None:
    expect(desk("#drop .drop-title")).to_have_text("Drop images here")
    expect(desk("#viewer")).to_be_hidden()
    expect(desk("#model")).to_have_text("pocket" if SHOTS else "clip_small_openai.safetensors")
    expect(desk("#normals-count")).to_have_text("No normal images yet. 5% needs at least 19.")
    desk.shot("1-start")


def test_dropped_images_are_scored_and_a_broken_one_says_why(desk: Any) -> None:
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


def test_what_belongs_to_the_view_stands_in_one_line(desk: Any) -> None:
    middle = "all => all.map(one => one.getBoundingClientRect()).map(box => (box.top + box.bottom) / 2)"
    middles = desk("#viewer .tools > *").evaluate_all(middle)
    assert len(middles) == 4
    assert max(middles) - min(middles) < 5, "at 1440 pixels the colour scale wrapped"


def test_the_threshold_decides_at_once(desk: Any) -> None:
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


def test_views_by_keys(desk: Any) -> None:
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


def test_keys_live_on_after_a_click_on_a_control(desk: Any) -> None:
    desk(".modes label").nth(1).click()
    desk.page.keyboard.press("3")
    expect(desk("#stage")).to_have_attribute("data-mode", "map")
    desk("#threshold").click()
    desk.page.keyboard.press("1")
    expect(desk("#stage")).to_have_attribute("data-mode", "side")
    desk.page.keyboard.press("ArrowDown")
    expect(desk("#name")).to_have_text(desk.odd[1].name)
    desk.page.keyboard.press("ArrowUp")


def test_one_slider_leaves_the_other_alone(desk: Any) -> None:
    before = desk("#pixel-threshold-value").inner_text()
    desk.slide("#threshold", "End", "ArrowLeft")
    expect(desk("#threshold-value")).not_to_have_text("0.500")
    expect(desk("#pixel-threshold-value")).to_have_text(before)


def test_zoom_shows_the_same_part_in_both_panes(desk: Any) -> None:
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


def test_the_list_shows_what_is_asked_for(desk: Any) -> None:
    desk.slide("#threshold", "Home")
    desk("#filter").select_option("failed")
    expect(desk("#list li")).to_have_count(1)
    desk("#filter").select_option("anomalous")
    expect(desk("#list li")).to_have_count(len(desk.odd) + 2)
    desk("#filter").select_option("")
    expect(desk("#list li")).to_have_count(len(desk.odd) + 3)


@pytest.mark.parametrize("zone", ["#drop", "#viewer"])
def test_files_dropped_from_the_desktop(desk: Any, zone: str) -> None:
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


def test_progress_has_a_rate_while_pictures_are_looked_at(desk: Any) -> None:
    held: list[Any] = []
    before = desk("#list .item").count()
    desk.page.route("**/v1/detect**", lambda route: held.append(route) if held else route.continue_())
    held.append(None)  # from here on
    desk.page.set_input_files("#files", [desk.odd[0], desk.odd[1]])
    expect(desk("#bar")).to_have_attribute("value", str(before))
    expect(desk("#rate-now")).to_have_text(f"{before} of {before + 2}, 0.0 per second")
    while len(held) < 3:
        desk.page.wait_for_timeout(20)
    held[1].continue_()
    expect(desk("#rate-now")).to_have_text(
        re.compile(rf"^{before + 1} of {before + 2}, \d+\.\d per second, \d+ s left$")
    )
    held[2].continue_()
    expect(desk("#progress")).to_be_hidden()
    expect(desk("#rate-now")).to_have_text("")
    desk.page.unroute("**/v1/detect**")


def test_the_picture_can_be_saved(desk: Any) -> None:
    with Image.open(desk.save("[data-save=png]")) as picture, Image.open(desk.odd[0]) as original:
        assert picture.size == original.size
        assert np.asarray(picture.convert("RGB")).std() > 0


def test_pictures_outlive_a_reload(desk: Any) -> None:
    names = desk("#list .item").evaluate_all("items => items.map((item) => item.title)")
    desk.page.reload()
    expect(desk("#list .item")).to_have_count(len(names))
    expect(desk("#status")).to_contain_text("from before the reload")
    assert desk("#list .item").evaluate_all("items => items.map((item) => item.title)") == names
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ anomalous, \d+ normal, 1 failed$"))


def test_what_could_not_be_asked_is_offered_again(desk: Any) -> None:
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


def test_a_wrong_key_is_told(desk: Any) -> None:
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


def test_it_speaks_german(desk: Any) -> None:
    desk("#language").select_option("de")
    expect(desk("#choose")).to_have_text("Bilder wählen")
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ auffällig, \d+ normal, 1 fehlgeschlagen$"))
    expect(desk("html")).to_have_attribute("lang", "de")
    expect(desk("#threshold")).to_be_visible()
    desk.page.reload()
    expect(desk("#choose")).to_have_text("Bilder wählen")
    desk("#language").select_option("en")
    expect(desk("#choose")).to_have_text("Choose images")
    expect(desk("#progress")).to_be_hidden()


def test_a_large_photo_is_seen_at_its_own_pixels(desk: Any, tmp_path: Path) -> None:
    """24 megapixels: under zoom a black pixel beside a white one is still black, which no smaller copy shows."""
    pixels = np.full((4000, 6000, 3), 200, np.uint8)
    pixels[1996:2004, 2996:3004] = np.indices((8, 8)).sum(0)[..., None] % 2 * 255
    large = tmp_path / "large.png"
    Image.fromarray(pixels).save(large, compress_level=1)
    count = desk("#list .item").count()
    desk.page.set_input_files("#files", [large])
    expect(desk("#list .number").nth(count)).to_have_text(re.compile(r"\d"))
    desk("#list .item").nth(count).click()
    expect(desk("#facts")).to_contain_text("6000 × 4000")
    desk("#name").click()
    for _ in range(12):
        desk.page.keyboard.press("+")
    tile = "document.getElementById('original-tile')"
    desk.page.wait_for_function(f"() => !{tile}.hidden && {tile}.dataset.pixels")
    reds = f"""() => {{
        const [t, half] = [{tile}, 8];
        const {{ data }} = t.getContext("2d").getImageData(t.width / 2 - half, t.height / 2 - half, 2 * half, 2 * half);
        const reds = data.filter((_, i) => i % 4 === 0);
        return Math.min(...reds) === 0 && Math.max(...reds) === 255; }}"""
    desk.page.wait_for_function(reds)
    desk.page.keyboard.press("0")
    expect(desk("#original-tile")).to_be_hidden()


def test_a_watch_is_shown_while_it_runs(desk: Any, watched: Path) -> None:
    def append(name: str, score: float) -> None:
        row = {"path": name, "score": score, "decision": "anomalous" if score > 0.5 else "normal", "regions": []}
        if score > 0.5:
            (folder := watched / "evidence" / f"20261129T020000.000Z-{name}-0123abcd").mkdir(parents=True)
            (folder / "row.json").write_text(json.dumps(row))
            shown = next((one for one in desk.odd if one.name == name), desk.odd[0])
            Image.open(shown).save(folder / "overlay.png")
        with (watched / "results.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")

    append("first.png", 0.1)
    desk("#live-open").click()
    expect(desk(".live-row .live-name")).to_have_text(["first.png"])
    append("second.png", 0.9)
    expect(desk(".live-row .live-name")).to_have_text(["second.png", "first.png"])
    expect(desk(".live-row .state").first).to_have_text("anomalous")
    expect(desk(".live-row img").first).to_be_visible()
    for place in range(4 if SHOTS else 0):
        append(desk.odd[place].name, 0.6 + 0.08 * place)
        append(desk.normals[place].name, 0.1 + 0.05 * place)
    expect(desk(".live-row img:visible")).to_have_count(5 if SHOTS else 1)
    desk.shot("9-live")
    for number in range(60):
        append(f"late {number:02d}.png", 0.2)
    last = [f"late {number:02d}.png" for number in range(59, 9, -1)]
    expect(desk(".live-row .live-name")).to_have_text(last)  # 50, as they came
    desk.page.keyboard.press("Escape")
    expect(desk("#live")).to_be_hidden()
    desk("#live-open").click()
    expect(desk(".live-row .live-name")).to_have_text(last)  # 50, as the server holds them
    desk.page.keyboard.press("Escape")


def test_the_paths_are_shown_by_the_server_itself(desk: Any) -> None:
    address = desk.page.url
    page = desk.page.context.browser.new_page()
    other: list[str] = []
    page.on(
        "request", lambda request: None if request.url.startswith((address, "data:")) else other.append(request.url)
    )
    page.on("console", lambda message: other.append(message.text) if message.type == "error" else None)
    page.goto(f"{address}docs")
    expect(page.locator(".opblock-summary-path", has_text="/v1/detect").first).to_be_visible()
    page.close()
    assert other == []
