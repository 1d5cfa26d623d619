"""Words and names in the page: another language reaches all, long names widen nothing, early reloads lose nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.e2e.test_serve_browser_tabs import STORED

import anomalyclip

GERMAN = Path(anomalyclip.__file__).parent / "serve/page/languages/de.json"
SAID = """() => {
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (node.nodeType === Node.TEXT_NODE) texts.push(node.data);
    else for (const name of ["aria-label", "title", "placeholder", "alt"]) texts.push(node.getAttribute(name) ?? "");
  }
  return texts.map((text) => text.replace(/\\s+/g, " ").trim()).filter(Boolean);
}"""
INSIDE = """items => items.every((one) =>
  one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight + 1)"""
WIDER = "html => html.scrollWidth - html.clientWidth"


@pytest.fixture
def fresh(desk: Any) -> Iterator[Any]:
    """A page of its own on the same server: nothing is kept of others."""
    context = desk.page.context.browser.new_context(viewport={"width": 1440, "height": 900}, accept_downloads=True)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def left_over(said: list[str], words: dict[str, str], own: set[str]) -> list[str]:
    """Texts of the page that stand in `words` and are no words of the other language."""
    patterns = [re.sub(r"\\\{\w+\\\}", ".+", re.escape(one)) for one in words if len(re.findall(r"[^\W\d]{2,}", one))]
    whole = re.compile("|".join(f"(?:{one})" for one in patterns))
    long = re.compile("|".join(one for one in patterns if len(re.findall(r"[^\W\d]{3,}", one)) > 3))
    return [text for text in said if text not in own and (whole.fullmatch(text) or long.search(text))]


def all_is_said_in(page: Any, table: dict[str, str]) -> None:
    """No words of the language that `table` leads from, once the page is drawn."""
    for _ in range(100):
        if not (left := left_over(page.evaluate(SAID), table, set(table.values()))):
            return
        page.wait_for_timeout(50)
    assert left == []


def test_another_language_reaches_everything_that_is_said(fresh: Any, desk: Any) -> None:
    table = {one: other for one, other in json.loads(GERMAN.read_text("utf-8")).items() if one != other}
    del table["English"]  # languages are called by their own names
    fresh.goto(desk.page.url)
    fresh.locator("#normals").set_input_files(desk.normals[:9])
    fresh.locator("#rate").select_option("0.01")
    fresh.locator("#calibrate").click()
    expect(fresh.locator("#calibrated")).to_contain_text("at best")  # too few
    few = fresh.evaluate(SAID)
    assert left_over(few, {other: one for one, other in table.items()}, set(table)) == [], "all is English"
    assert left_over(few, table, set(table.values())) != [], "what is looked for is found"
    fresh.locator("#rate").select_option("0.1")
    fresh.locator("#language").select_option("de")
    expect(fresh.locator("#calibrated")).to_contain_text("bestenfalls")
    all_is_said_in(fresh, table)
    fresh.locator("#calibrate").click()
    expect(fresh.locator("#calibrated")).to_contain_text("Die Schwellen stehen")
    fresh.set_input_files("#files", [*desk.odd, desk.broken])
    expect(fresh.locator("#tally")).to_have_text(re.compile(r"1 fehlgeschlagen$"))
    expect(fresh.locator("#threshold-value")).to_have_text(re.compile(r"^0,\d+$"))  # as numbers are written there
    expect(fresh.locator(".strip text").nth(2)).to_have_text("0,1")
    fresh.route("**/v1/detect**", lambda route: route.abort())
    fresh.set_input_files("#files", [desk.normals[0]])
    expect(fresh.locator("#retry")).to_be_visible()
    fresh.locator("#list .item").last.click()
    expect(fresh.locator("#problem")).to_contain_text("Der Server antwortet nicht")
    fresh.locator("#language").select_option("en")
    expect(fresh.locator("#problem")).to_contain_text("The server does not answer")
    fresh.unroute("**/v1/detect**")
    fresh.locator("#list .item").first.click()
    fresh.locator("#say-faulty").click()
    expect(fresh.locator("#held")).to_contain_text("1 faulty")
    expect(fresh.locator("#status")).to_contain_text("learned it")
    fresh.locator("#language").select_option("de")
    expect(fresh.locator("#status")).to_contain_text("gelernt")  # a message that stands
    expect(fresh.locator("#held")).to_contain_text("1 fehlerhaft")
    all_is_said_in(fresh, table)
    fresh.locator("#language").select_option("en")
    expect(fresh.locator("#held")).to_contain_text("1 faulty")
    all_is_said_in(fresh, {other: one for one, other in table.items()})


NAMES = [
    "part-" + "0123456789" * 30 + "-left.png",
    "ein sehr langer Name mit Wörtern, " * 8 + "Ende.png",
    "<b onmouseover=alert(1)>" + "x" * 120 + "</b>.png",
    "חלק " * 40 + "7.png",
    "部品" * 80 + ".png",
]


def test_long_names_widen_nothing_and_keep_their_ends(fresh: Any, desk: Any) -> None:
    content = desk.odd[0].read_bytes()
    fresh.goto(desk.page.url)
    files = [{"name": name, "mimeType": "image/png", "buffer": content} for name in NAMES]
    fresh.locator("#files").set_input_files(files)
    expect(fresh.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    rows = fresh.locator("#list .item")
    assert rows.evaluate_all("items => items.map((item) => item.title)") == NAMES
    for width in (1440, 1000, 390):
        fresh.set_viewport_size({"width": width, "height": 844})
        for view in ("one", "grid"):
            if view == "grid":
                fresh.locator("#view").click()
            assert fresh.locator("html").evaluate(WIDER) == 0, (width, view)
            assert rows.evaluate_all(INSIDE), f"what a cell says stands within it, {width}, {view}"
            if view == "grid":
                assert fresh.locator("#list .tail").first.inner_text().endswith("-left.png")
                fresh.locator("#view").click()
    assert fresh.locator("#list b").count() == 0, "a name is text"
    expect(fresh.locator("#name")).to_have_attribute("title", NAMES[0])
    with fresh.expect_download() as waiting:
        fresh.locator("[data-save=jsonl]").click()
    lines = Path(waiting.value.path()).read_text("utf-8").splitlines()
    assert [json.loads(line)["path"] for line in lines] == NAMES


def test_a_short_name_keeps_what_tells_it_from_the_others(fresh: Any, desk: Any) -> None:
    """Cameras give names that differ in the middle: beginning and end say nothing."""
    content = desk.odd[0].read_bytes()
    names = [
        f"2026-11-29T10-15_camera-3_part-{number}_exposure-low_left-side.png" for number in ("00071", "00072", "00172")
    ]
    fresh.goto(desk.page.url)
    fresh.locator("#files").set_input_files(
        [{"name": one, "mimeType": "image/png", "buffer": content} for one in names]
    )
    expect(fresh.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    rows = fresh.locator("#list .item")
    for view in ("one", "grid"):
        tails = fresh.locator("#list .tail").all_inner_texts()
        assert len(set(tails)) == 3, view
        assert all(number in tail for number, tail in zip(("071", "072", "172"), tails, strict=True)), view
        assert rows.evaluate_all(INSIDE), view
        assert fresh.locator("#list .title").evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")
        fresh.locator("#view").click()
    fresh.locator("#clear").click()
    fresh.locator("#files").set_input_files(desk.odd[:1])
    expect(fresh.locator("#list .head")).to_have_text(desk.odd[0].name)  # whole, where there is room


@pytest.mark.parametrize("held", ["**/v1/detect**", "**/v1/models"])
def test_a_reload_before_the_first_answer_loses_nothing(fresh: Any, desk: Any, held: str) -> None:
    """Pictures were dropped and the server has answered none; or the page itself still waits to know the model."""
    waiting: list[Any] = []
    fresh.route(held, lambda route: waiting.append(route))
    fresh.goto(desk.page.url)
    fresh.set_input_files("#files", desk.odd)
    expect(fresh.locator("#list .item")).to_have_count(len(desk.odd))
    while fresh.evaluate(STORED) < len(desk.odd):
        fresh.wait_for_timeout(50)
    fresh.unroute(held)
    fresh.reload()
    expect(fresh.locator("#status")).to_contain_text("from before the reload")
    expect(fresh.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    assert fresh.locator("#list .item").evaluate_all("items => items.map((item) => item.title)") == [
        one.name for one in desk.odd
    ]
