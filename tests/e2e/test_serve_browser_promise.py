"""What the page says of a rate and of a moved threshold: a good line is not lost, and its good pictures are counted."""

from __future__ import annotations

from typing import Any

import numpy as np
from playwright.sync_api import expect

from anomalyclip.calibration import read_profile

MOVE = "(slider, to) => { slider.value = to; slider.dispatchEvent(new Event('input')); }"


def test_a_line_to_begin_with(desk: Any) -> None:
    desk.page.set_input_files("#files", desk.odd)
    desk.page.set_input_files("#normals", desk.normals)
    desk("#calibrate").click()
    expect(desk("#guarantee")).to_contain_text("At most 5% of normal images")


def test_a_rate_that_they_cannot_support_leaves_the_good_line_as_it_is(desk: Any) -> None:
    before = read_profile(desk.save("#save-profile"))
    expect(desk("#prognosis-words")).not_to_contain_text("Painting")
    desk("#rate").select_option("0.01")
    desk("#calibrate").click()
    expect(desk("#calibrated")).to_contain_text("1% needs 99")
    expect(desk("#calibrated")).to_contain_text("The profile my-parts of 25 images at 5% stays.")
    expect(desk("#profile")).to_have_value("my-parts")
    after = read_profile(desk.save("#save-profile"))
    assert (after.image, after.count) == (before.image, len(desk.normals))
    assert desk.page.request.get(f"{desk.page.url}v1/profiles/my-parts").status == 200
    desk("#rate").select_option("0.05")


def test_it_tells_how_many_good_pictures_a_threshold_would_flag(desk: Any) -> None:
    """Wherever the slider stands; p-values stay. Position p is the score 1 / (1 + 9999^(1 - 2p))."""
    scores = [float(score) for score in read_profile(desk.save("#save-profile")).image.scores]
    assert len(scores) == 25
    told = set()
    for position in np.arange(0.2, 0.8, 0.02):
        threshold = np.float32(1 / (1 + 9999 ** (1 - 2 * position)))
        if min(abs(np.float32(scores) - threshold)) < 1e-4:
            continue  # the slider's own rounding decides
        flagged = sum(score >= threshold for score in scores)
        desk("#threshold").evaluate(MOVE, float(position))
        expect(desk("#guarantee")).to_have_text(f"Would flag {flagged} of your 25 good ({4 * flagged}%).")
        told.add(flagged)
    assert len(told) > 2
    expect(desk("#p-value")).to_be_visible()
    desk("#profile").select_option("")
    desk("#profile").select_option("my-parts")
    expect(desk("#guarantee")).to_contain_text("At most 5% of normal images")
