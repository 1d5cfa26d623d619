"""Zoom by wheel, drag, double click and keys, in both panes alike; and axe-core on every state of the page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from tests.e2e.conftest import SHOTS

MOVE = "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
SHIFT = """() => ["original", "heat"].map((one) => {
  const m = new DOMMatrix(getComputedStyle(document.getElementById(one)).transform);
  return [m.a, m.e, m.f].map((value) => Math.round(value * 10) / 10);
})"""


def shown(desk: Any) -> list[float]:
    """Scale and shift to the right and down in pixels, which are the same in both panes."""
    first, second = desk.page.evaluate(SHIFT)
    assert first == second
    return list(first)


def pictures(desk: Any) -> list[Path]:
    """Good ones, too, for the report in the documentation."""
    return [*desk.odd, *(desk.normals[:7] if SHOTS else [])]


def hinders(page: Any) -> list[tuple[str, list[Any]]]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found]


def test_nothing_hinders_at_the_start(desk: Any) -> None:
    desk.page.emulate_media(reduced_motion="reduce")
    assert hinders(desk.page) == []


def test_zoom_by_wheel_drag_double_click_and_keys(desk: Any) -> None:
    desk.page.set_input_files("#files", pictures(desk))
    expect(desk("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    lens = desk(".lens").nth(1).bounding_box()
    across, down = lens["x"] + lens["width"] / 2, lens["y"] + lens["height"] / 2
    desk.page.mouse.move(across, down)
    desk.page.mouse.wheel(0, -400)
    expect(desk("#zoom-value")).to_have_text(re.compile(r"2\.7×"))
    scale, right, below = shown(desk)
    desk.page.mouse.down()
    desk.page.mouse.move(across + 30, down + 20, steps=3)
    desk.page.mouse.up()
    assert shown(desk) == [scale, round(right + 30, 1), round(below + 20, 1)]
    desk.shot("11-zoom")
    desk.page.mouse.dblclick(across, down)
    expect(desk("#zoom-value")).to_have_text("1×")
    desk.page.mouse.dblclick(across, down)
    expect(desk("#zoom-value")).to_have_text("3×")
    desk("#list .item").first.focus()  # a button, which has no use for arrows
    _, right, below = shown(desk)
    for key, wanted in (
        ("ArrowLeft", (1, 0)),
        ("ArrowRight", (0, 0)),
        ("Shift+ArrowUp", (0, 1)),
        ("Shift+ArrowDown", (0, 0)),
    ):
        desk.page.keyboard.press(key)
        _, x, y = shown(desk)
        assert (x > right, y > below) == (bool(wanted[0]), bool(wanted[1])), key
    expect(desk("#name")).to_have_text(desk.odd[0].name)
    before = desk("#readout").inner_text()
    desk.page.keyboard.press("ArrowDown")
    expect(desk("#name")).to_have_text(desk.odd[1].name)
    expect(desk("#readout")).not_to_have_text(before)  # the pointer rests on another picture's value
    desk.page.keyboard.press("0")
    expect(desk("#zoom-value")).to_have_text("1×")
    told = desk("#readout").inner_text()
    assert told.split(":")[0] != before.split(":")[0]
    for aside in (9, 0):
        desk.page.mouse.move(across + aside, down)
    expect(desk("#readout")).to_have_text(told)


def touch(finger: Any, kind: str, *places: tuple[float, float]) -> None:
    finger.send(
        "Input.dispatchTouchEvent",
        {"type": kind, "touchPoints": [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(places)]},
    )


def test_two_fingers_enlarge_what_is_between_them_and_one_moves_it(desk: Any) -> None:
    """Real touches, on a telephone: 40 pixels apart become 160, in either pane; the page itself is not enlarged."""
    context = desk.page.context.browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.goto(desk.page.url)
    page.set_input_files("#files", desk.odd[:1])
    expect(page.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    finger = context.new_cdp_session(page)
    for pane in ("#original", "#heat"):
        page.locator(pane).scroll_into_view_if_needed()
        box = page.locator(pane).bounding_box()
        x, y = box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"]
        touch(finger, "touchStart", (x - 20, y))
        touch(finger, "touchStart", (x - 20, y), (x + 20, y))
        for step in range(1, 7):
            touch(finger, "touchMove", (x - 20 - 10 * step, y), (x + 20 + 10 * step, y))
        touch(finger, "touchEnd")
        expect(page.locator("#zoom-value")).to_have_text(re.compile(r"^(3\.[89]|4|4\.[01])×$"))
        lens = page.locator(".lens").first.bounding_box()
        (scale, right, below), other = page.evaluate(SHIFT)
        assert [scale, right, below] == other
        assert right == pytest.approx(-0.3 * lens["width"] * (scale - 1), abs=3), (
            "what was between the fingers is there"
        )
        assert below == pytest.approx(-0.5 * lens["height"] * (scale - 1), abs=3)
        touch(finger, "touchStart", (x, y))
        for step in range(1, 6):
            touch(finger, "touchMove", (x + 6 * step, y + 4 * step))
        touch(finger, "touchEnd")
        assert page.evaluate(SHIFT)[0] == pytest.approx([scale, right + 30, below + 20], abs=1)
        expect(page.locator("#beside")).to_be_hidden()
        page.locator("#zoom-out").scroll_into_view_if_needed()
        while page.locator("#zoom-value").inner_text() != "1×":
            page.locator("#zoom-out").click()
    assert page.evaluate("visualViewport.scale") == 1
    context.close()


PIXELS = """async (image) => {
  await image.decode();
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  const context = Object.assign(document.createElement("canvas"), { width, height }).getContext("2d");
  context.drawImage(image, 0, 0);
  return [...context.getImageData(0, 0, width, height).data];
}"""


def test_the_page_s_report_draws_the_outlines_of_regions(desk: Any) -> None:
    """Lines appear at a threshold within the map's range; where nothing is above it there are none to compare with."""

    def pixels(position: float) -> np.ndarray:
        desk("#pixel-threshold").evaluate(MOVE, position)
        report = desk.page.context.browser.new_context().new_page()
        report.goto(desk.save("[data-save=report]").as_uri())
        heat = report.locator("article", has_text=desk.odd[0].name).locator("img").nth(1)
        data = np.array(heat.evaluate(PIXELS), int).reshape(-1, 4)
        report.context.close()
        return data

    desk("#list .item").first.click()
    for position in range(40, 60):
        desk("#pixel-threshold").evaluate(MOVE, position / 100)
        shares = desk("#regions td:nth-child(3)").all_inner_texts()
        if shares and 5 < float(shares[0].rstrip("%")) < 80:
            break
    drawn = np.abs(pixels(position / 100) - pixels(1.0)).max(axis=1) > 40
    assert 50 < drawn.sum() < 0.5 * len(drawn)
    desk("#pixel-threshold").evaluate(MOVE, 0.5)


def test_nothing_hinders_in_any_state(desk: Any) -> None:
    desk.page.keyboard.press("g")
    assert hinders(desk.page) == []
    desk.page.keyboard.press("g")
    desk.page.keyboard.press("?")
    expect(desk("#help")).to_be_visible()
    assert hinders(desk.page) == []
    desk.shot("12-help")
    desk.page.keyboard.press("Escape")
    desk("#language").select_option("de")
    expect(desk("#choose")).to_have_text("Bilder wählen")
    assert hinders(desk.page) == []
    desk.shot("13-german")
    desk.page.set_viewport_size({"width": 390, "height": 844})
    assert hinders(desk.page) == []
    desk.page.set_viewport_size({"width": 1440, "height": 900})
    desk("#language").select_option("en")
    report = desk.page.context.browser.new_context().new_page()
    report.goto(desk.save("[data-save=report]").as_uri())
    expect(report.locator("article")).to_have_count(len(pictures(desk)))
    assert hinders(report) == []
    if SHOTS:
        report.set_viewport_size({"width": 1280, "height": 900})
        drawn = "all => Promise.all(all.map(one => one.decode()))"
        report.locator("article img").evaluate_all(drawn)
        report.screenshot(path=Path(SHOTS) / "17-report.png")
        report.locator(".pictures").first.click()
        report.select_option("#part", "#region=1")
        report.locator(".large img").evaluate_all(drawn)
        report.screenshot(path=Path(SHOTS) / "18-report-one.png")
    report.context.close()
