"""The page with a line of its own, in a real browser: calibrate, correct, keep, take along; axe-core, dark, a phone."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import expect

from anomalyclip.calibration import read_profile
from anomalyclip.detect.flat import FIELDS, csv_line
from anomalyclip.detect.result import COLUMNS
from anomalyclip.geometry.regions import find_regions

SHOTS = os.environ.get("ANOMALYCLIP_SCREENSHOTS")


def test_pictures_to_begin_with(desk: Any) -> None:
    desk.page.set_input_files("#files", [*desk.odd, *desk.normals[:2], desk.broken])
    expect(desk("#tally")).to_have_text(re.compile(r"^\d+ anomalous, \d+ normal, 1 failed$"))
    expect(desk("#correct-hint")).to_be_visible()
    desk("#list .item").last.click()
    expect(desk("#problem")).to_contain_text("not an image")
    desk.shot("15-failed")
    desk("#list .item").first.click()


def test_too_few_normals_say_how_many_it_takes(desk: Any) -> None:
    desk.page.set_input_files("#normals", desk.normals)
    desk("#rate").select_option("0.01")
    expect(desk("#normals-count")).to_have_text(f"{len(desk.normals)} normal images. 1% needs at least 99.")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("25 images support 3.8% at best; 1% needs 99.")
    expect(desk("#save-profile")).to_be_hidden()
    desk.shot("16-too-few")


def test_calibration_sets_thresholds_with_a_guarantee(desk: Any) -> None:
    desk("#rate").select_option("0.05")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("Thresholds are set")
    expect(desk("#profile")).to_have_value("my-parts")
    expect(desk("#guarantee")).to_contain_text("At most 5% of normal images")
    expect(desk("#p-value")).to_be_visible()
    expect(desk("#progress")).to_be_hidden()  # all pictures are judged anew by the memory
    profile = read_profile(desk.save("#save-profile"))
    assert (profile.count, profile.image.rate) == (len(desk.normals), 0.05)
    rows = _saved_rows(desk)
    for row in rows:
        if row["score"] is not None:
            assert row["decision"] == profile.decide(row["score"])
            assert row["p_value"] == pytest.approx(profile.p_value(row["score"]))
            assert row["settings"]["threshold"] == profile.image_threshold


def test_it_tells_what_the_line_will_find_and_which_pictures_set_it(desk: Any) -> None:
    expect(desk("#faults-rows tr")).to_have_count(10)
    profile = read_profile(desk.save("#save-profile"))
    assert profile.self_test is not None
    cells = desk("#faults-rows [role=img]").evaluate_all("all => all.map(one => [one.textContent, one.title])")
    found = sum(one.score >= profile.image_threshold for one in profile.self_test.tried)
    assert [mark for mark, _ in cells].count("●") == found
    assert sorted(score for _, score in cells) == sorted(f"{one.score:.3f}" for one in profile.self_test.tried)
    expect(desk("#prognosis-words")).to_contain_text(f"{found} of {len(cells)} painted faults")
    shown = desk("#setting-pictures li")
    assert shown.locator("b").all_inner_texts() == [one.name for one in profile.setting]
    for one, words in zip(profile.setting, shown.all_inner_texts(), strict=True):
        assert f"scores {one.score:.3f}" in words
        assert f"would be {one.without:.3f}" in words
    desk.page.wait_for_function(
        "[...document.querySelectorAll('#setting-pictures img')].every(one => one.naturalWidth > 0)"
    )
    desk.shot("3-calibrated", full=True)
    desk.slide("#threshold", "End")
    expect(desk("#prognosis-words")).to_contain_text(f"0 of {len(cells)} painted faults (0%)")
    desk("#profile").select_option("")
    expect(desk("#prognosis")).to_be_hidden()
    desk("#profile").select_option("my-parts")
    expect(desk("#faults")).to_be_visible()


def _saved_rows(desk: Any) -> list[dict[str, Any]]:
    saved = desk.save("[data-save=jsonl]")
    rows = [json.loads(line) for line in saved.read_text("utf-8").splitlines()]
    with desk.save("[data-save=csv]").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [cells["path"] for cells in table] == [row["path"] for row in rows]
    assert all(tuple(row) == COLUMNS for row in rows)
    assert [row["error"] is None for row in rows] == [True] * (len(rows) - 1) + [False]
    return rows


def test_a_click_on_a_region_shows_its_nearest_good_patch(desk: Any) -> None:
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
    expect(desk("#progress")).to_be_hidden()
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


def test_a_saved_profile_comes_back(desk: Any) -> None:
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
    desk("#profile").select_option("my-parts")
    expect(desk("#calibrated")).to_be_hidden()  # what was told of another line
    desk("#profile").select_option("again")
    expect(desk("#model")).to_contain_text("· again")
    expect(desk("#progress")).to_be_hidden()


@pytest.mark.skipif(bool(SHOTS), reason="compares with the small CLIP")
def test_regions_of_the_page_are_those_of_detect(desk: Any, golden_folder: Path) -> None:
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


def test_a_false_alarm_is_learned_and_taken_back(desk: Any) -> None:
    """The profile of before, to the last score, comes back; what changed is shown on all pictures."""
    scored = len(desk.odd) + 2
    desk("#list .item").first.click()
    before = desk("#list .number").all_inner_texts()
    was = desk("#decision").inner_text()
    desk("#by").fill("Ann")
    desk("#say-alarm").click()
    expect(desk("#held")).to_have_text("1 false alarm, 0 regions, 0 faulty")
    expect(desk("#kept")).to_contain_text("start it with --keep DIR")
    expect(desk("#progress")).to_be_hidden()
    expect(desk("#changed")).to_have_text(
        re.compile(rf"^Of {scored} pictures \d went from anomalous to normal, \d from")
    )
    expect(desk("#decision")).to_have_text("normal")
    if was == "anomalous":
        expect(desk("#list .state").first).to_have_text("anomalous → normal, a false alarm")
    desk.shot("7-corrected")
    desk("#filter").select_option("corrected")
    expect(desk("#list li")).to_have_count(1)
    desk("#filter").select_option("")
    with (desk.save("#journal-csv")).open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert (row["by"], row["said"], row["path"]) == ("Ann", "false alarm", desk.odd[0].name)
    desk("#undo").click()
    expect(desk("#held")).to_have_text("0 false alarms, 0 regions, 0 faulty")
    expect(desk("#progress")).to_be_hidden()
    assert desk("#list .number").all_inner_texts() == before


def test_faulty_pictures_and_regions_are_told_by_keys_and_by_choice(desk: Any) -> None:
    desk("#list .item").nth(1).click()
    desk.page.keyboard.press("f")
    expect(desk("#held")).to_contain_text("1 faulty")
    expect(desk("#guarantee")).to_contain_text("Set by 1 faulty picture.")
    expect(desk("#progress")).to_be_hidden()
    desk("#list .item").nth(2).click()
    expect(desk("#correct-region")).to_be_disabled()
    desk.slide("#pixel-threshold", "Home")
    desk("#regions tr button").first.click()
    desk("#correct-part").select_option("region")
    desk("#say-alarm").click()
    expect(desk("#held")).to_have_text("0 false alarms, 1 region, 1 faulty")
    expect(desk("#progress")).to_be_hidden()
    profile = read_profile(desk.save("#save-profile"))
    assert profile.corrections is not None
    assert (profile.corrections.regions, profile.corrections.faulty) == (1, 1)


def test_a_moved_threshold_is_kept(desk: Any) -> None:
    desk.slide("#threshold", "End", *["ArrowLeft"] * 30)
    expect(desk("#guarantee")).to_contain_text(f"Would flag 0 of your {len(desk.normals)} good (0%).")
    expect(desk("#p-value")).to_be_visible()
    moved = desk("#threshold-value").inner_text()
    desk("#keep-thresholds").click()
    expect(desk("#keep-thresholds")).to_be_hidden()
    expect(desk("#guarantee")).to_contain_text("Moved by hand by Ann.")
    assert desk("#threshold-value").inner_text() == moved
    assert read_profile(desk.save("#save-profile")).image_threshold == pytest.approx(float(moved), abs=1e-3)


def test_everything_can_be_taken_along(desk: Any) -> None:
    expect(desk("#progress")).to_be_hidden()
    rows = [json.loads(line) for line in desk.save("[data-save=jsonl]").read_text("utf-8").splitlines()]
    lines = desk.save("[data-save=csv]").read_bytes().splitlines()
    assert lines[0].decode() == ",".join(FIELDS)
    for line, row in zip(lines[1:], rows, strict=True):
        mine, packages = (next(csv.reader([text.decode()])) for text in (line, csv_line(row)))
        assert [_value(cell) for cell in mine] == [_value(cell) for cell in packages]
    coco = json.loads(desk.save("[data-save=coco]").read_text())
    assert sum(len(row["regions"]) for row in rows) == len(coco["annotations"])
    assert [image["file_name"] for image in coco["images"]] == [row["path"] for row in rows if row["score"] is not None]
    with zipfile.ZipFile(io.BytesIO(desk.save("[data-save=zip]").read_bytes())) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [f"{_plain(row['path'])}-heat.png" for row in rows if row["score"] is not None]
        with Image.open(archive.open(archive.namelist()[0])) as overlay, Image.open(desk.odd[0]) as original:
            assert overlay.size == original.size
    report = desk.save("[data-save=report]").read_text("utf-8")
    assert report.count("<article ") == len(rows) - 1
    assert desk.broken.name in report


def _value(cell: str) -> object:
    try:
        return pytest.approx(float(cell), rel=1e-6)
    except ValueError:
        return cell


def _plain(path: str) -> str:
    return re.sub(r"[^\w.-]+", "_", Path(path).stem)


def test_the_grid_shows_all_and_leads_to_one(desk: Any) -> None:
    if SHOTS:
        desk("#profile").select_option("my-parts")  # without the threshold that was moved to the end
    desk("#list .item").first.click()
    desk.page.keyboard.press("g")
    expect(desk("#viewer")).to_be_hidden()
    boxes = [desk("#list li").nth(place).bounding_box() for place in (0, 1)]
    assert boxes[0]["y"] == boxes[1]["y"], "side by side"
    desk.shot("8-grid")
    desk("#list .item").nth(1).focus()
    desk.page.keyboard.press("Enter")
    expect(desk("#viewer")).to_be_visible()
    expect(desk("#name")).to_have_text(desk.odd[1].name)


def test_nothing_hinders_those_who_listen_or_use_keys(desk: Any) -> None:
    """axe-core's rules for WCAG 2.1, A and AA, light and dark, with everything on the screen."""
    axe = Axe()
    rules = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    desk.page.emulate_media(reduced_motion="reduce")  # colours in the middle of a change are nobody's
    for theme in ("light", "dark"):
        if desk("html").get_attribute("data-theme") not in (theme, None) or theme == "dark":
            desk("#theme").click()
        found = axe.run(desk.page, options=rules).response["violations"]
        assert [(one["id"], [node["target"] for node in one["nodes"]][:3]) for one in found] == []
    desk("#theme").click()
    assert desk.page.title() == "anomalyclip"


def test_dark_and_phone(desk: Any) -> None:
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
