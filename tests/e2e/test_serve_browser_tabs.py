"""The page in other tabs and before its first picture: each tab keeps its own, calibration comes first where wanted."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from playwright.sync_api import expect

NO_LOCKS = "Object.defineProperty(Navigator.prototype, 'locks', { get: () => undefined })"
STORED = """() => new Promise((told) => {
  const opened = indexedDB.open('anomalyclip', 1);
  opened.onsuccess = () => {
    const counted = opened.result.transaction('files').objectStore('files').count();
    counted.onsuccess = () => { opened.result.close(); told(counted.result); };
  };
})"""
TAB = "() => sessionStorage.getItem('anomalyclip')"


def test_each_tab_keeps_its_own_pictures_where_browsers_know_no_locks(desk: Any) -> None:
    """As over plain HTTP from another machine. A duplicated tab brings the other's name along and takes its own."""
    context = desk.page.context.browser.new_context()
    context.add_init_script(NO_LOCKS)
    first, second = context.new_page(), context.new_page()
    for page, one in ((first, desk.odd[0]), (second, desk.odd[1])):
        page.goto(desk.page.url)
        page.set_input_files("#files", [one])
        expect(page.locator("#list .number")).to_have_text(re.compile(r"\d"))
    while first.evaluate(STORED) < 2:
        first.wait_for_timeout(50)
    first.reload()
    expect(first.locator("#list .item")).to_have_count(1)
    expect(first.locator("#name")).to_have_text(desk.odd[0].name)
    twin = context.new_page()
    twin.goto(desk.page.url)
    twin.evaluate("name => sessionStorage.setItem('anomalyclip', name)", first.evaluate(TAB))
    twin.reload()
    expect(twin.locator("#kept")).not_to_be_empty()
    while twin.evaluate(TAB) == first.evaluate(TAB):
        twin.wait_for_timeout(50)
    second.locator("#clear").click()
    expect(second.locator("#drop .drop-title")).to_be_visible()
    assert twin.locator("#list .item").count() == 0
    while first.evaluate(STORED) > 1:
        first.wait_for_timeout(50)
    first.goto("about:blank")  # closed: the page is told that it goes
    second.reload()
    expect(second.locator("#name")).to_have_text(desk.odd[0].name)
    context.close()


def test_two_tabs_do_not_overwrite_one_line(desk: Any) -> None:
    """The second is told that the name was taken; pressed again it replaces it, and the first is told in turn."""
    context = desk.page.context.browser.new_context()
    first, second = context.new_page(), context.new_page()

    def draw(page: Any, normals: list[Path]) -> None:
        if page.locator("#normals-count").inner_text().startswith("No"):
            page.locator("#normals").set_input_files(normals)
            page.locator("#rate").select_option("0.1")
            page.locator("#profile-name").fill("two-tabs")
        page.locator("#calibrate").click()

    for page in (first, second):
        page.goto(desk.page.url)
        expect(page.locator("#kept")).not_to_be_empty()
    draw(first, desk.normals[:9])
    expect(first.locator("#faults")).to_be_visible()  # painted, which is kept with the line
    at = f"{desk.page.url}v1/profiles/two-tabs?memory=false"
    own = context.request.get(at).json()
    draw(second, desk.normals[9:20])
    expect(second.locator("#calibrated")).to_contain_text(
        "Another page or program changed the profile two-tabs meanwhile."
    )
    assert context.request.get(at).json() == own, "it stands as the first one drew it"
    draw(second, [])
    expect(second.locator("#calibrated")).to_contain_text("The earlier two-tabs is kept on the server")
    first.set_input_files("#files", desk.odd[:1])
    expect(first.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    first.locator("#say-faulty").click()
    expect(first.locator("#status")).to_contain_text("It is shown as it is now; press again.")
    expect(first.locator("#profile option:checked")).to_have_text("two-tabs (11 images)")
    expect(first.locator("#progress")).to_be_hidden()
    first.locator("#say-faulty").click()
    expect(first.locator("#held")).to_contain_text("1 faulty")
    context.close()


def test_a_line_can_be_drawn_before_the_first_picture(desk: Any, tmp_path: Path) -> None:
    """And pictures of one name are two: files of a folder are called by their paths, corrections go by content."""
    page = desk.page
    desk("#normals").set_input_files(desk.normals[:9])
    desk("#rate").select_option("0.1")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("Thresholds are set")
    desk.shot("10-line-first", full=True)
    folder = tmp_path / "shift"
    for name, one in (("a", desk.odd[0]), ("b", desk.odd[1])):
        (folder / name).mkdir(parents=True)
        shutil.copy(one, folder / name / "part.png")
    box = desk("#drop").bounding_box()
    dragged = {"items": [], "files": [str(folder)], "dragOperationsMask": 1}
    at = {"x": box["x"] + 20, "y": box["y"] + 20, "data": dragged}
    browser = page.context.new_cdp_session(page)
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, **at})
    expect(desk("#list .item")).to_have_count(2)
    titles = desk("#list .item").evaluate_all("items => items.map((item) => item.title)")
    assert sorted(titles) == ["shift/a/part.png", "shift/b/part.png"]
    page.set_input_files("#files", [folder / "a" / "part.png"])
    page.set_input_files("#files", [folder / "b" / "part.png"])  # of the same name now
    expect(desk("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
    expect(desk("#p-value")).to_be_visible()
    assert titles[0].split("/")[1] == Path(desk("#name").inner_text()).parts[1]
    desk("#say-faulty").click()
    expect(desk("#held")).to_contain_text("1 faulty")
    desk("#filter").select_option("corrected")
    expect(desk("#list li")).to_have_count(2)  # the same content twice, whatever it is called
    marked = desk("#list .item").evaluate_all("items => items.map((item) => item.title)")
    assert marked == [titles[0], "part.png"]
    desk("#filter").select_option("")
    desk("#undo").click()
    expect(desk("#held")).to_contain_text("0 faulty")
    page.reload()
    expect(desk("#list .item")).to_have_count(4)
    assert desk("#list .item").evaluate_all("items => items.map((item) => item.title)")[:2] == titles
    expect(desk("#profile")).to_have_value("my-parts")
