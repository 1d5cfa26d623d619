"""The page and a server that asks for a key, opens with a profile, is killed and comes back: all of it real."""

from __future__ import annotations

import re
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.e2e.conftest import ENVIRONMENT, SHOTS, take_shot
from tests.served import served
from tests.watching.test_gate import free_port

from anomalyclip.calibration import read_profile
from anomalyclip.cli import main


@pytest.fixture(scope="module")
def line(desk: Any, small_model: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    options = ["--fpr", "0.05", "--no-plot", "--no-self-test", "--quiet", "--output", str(folder / "line.json")]
    with pytest.raises(SystemExit) as ended:
        main(["calibrate", *small_model, *map(str, desk.normals), *options])
    assert not ended.value.code
    return folder / "line.json"


def test_a_key_is_asked_for_and_the_profile_of_serve_gives_p_values(
    desk: Any, line: Path, small_model: list[str], tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("correct horse\n")
    options = ("--profile", str(line), "--api-key-file", str(tmp_path / "key"))
    context = desk.page.context.browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    with served(*small_model, *options, env=ENVIRONMENT) as address:
        page.goto(address)
        expect(page.locator("#key-dialog")).to_be_visible()
        expect(page.locator("#key-wrong")).to_be_hidden()
        page.fill("#key", "guess")
        page.click("#key-dialog button")
        expect(page.locator("#key-wrong")).to_be_visible()
        if SHOTS:
            take_shot(page, "14-wrong-key")
        page.fill("#key", "correct horse")
        page.click("#key-dialog button")
        expect(page.locator("#key-dialog")).to_be_hidden()
        profile = read_profile(line)
        expect(page.locator("#model")).to_have_text(f"clip_small_openai.safetensors · {profile.name}")
        page.set_viewport_size({"width": 390, "height": 844})
        expect(page.locator("#model")).to_be_visible()
        page.set_input_files("#files", desk.odd)
        expect(page.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
        expect(page.locator("#profile")).to_have_value(profile.name)
        expect(page.locator("#guarantee")).to_contain_text("At most 5% of normal images")
        score = page.locator("#list .number").first.inner_text()
        expect(page.locator("#p-value")).to_have_text(re.compile(r"^[<≤]? ?0\.\d+$"))
        assert float(page.inner_text("#threshold-value")) == pytest.approx(profile.image_threshold, abs=1e-3)
        told = float(re.sub(r"[^\d.]", "", page.inner_text("#p-value")))
        assert told == pytest.approx(profile.p_value(float(re.sub(r"[^\d.]", "", score))), abs=0.05)
        context.close()


def started(port: int, options: list[str], log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "anomalyclip", "serve", "--port", str(port), *options]
    with log.open("wb") as file:
        process = subprocess.Popen(command, stderr=file, env=ENVIRONMENT)
    while b"Open http" not in log.read_bytes():
        assert process.poll() is None, log.read_text()
    urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).close()
    return process


def test_a_server_that_is_killed_and_comes_back_is_asked_again(
    desk: Any, small_model: list[str], tmp_path: Path
) -> None:
    port, page = free_port(), desk.page.context.browser.new_context().new_page()
    server = started(port, small_model, tmp_path / "log")
    try:
        page.goto(f"http://127.0.0.1:{port}/")
        page.set_input_files("#files", [desk.odd[0]])
        expect(page.locator("#list .number")).to_have_text(re.compile(r"\d"))
        server.kill()
        server.wait(60)
        page.set_input_files("#files", [desk.odd[1], desk.odd[2]])
        expect(page.locator("#retry")).to_be_visible()
        expect(page.locator("#list .state").nth(1)).to_have_text("not looked at")
        server = started(port, small_model, tmp_path / "log")
        page.click("#retry")
        expect(page.locator("#tally")).to_have_text(re.compile(r"^\d anomalous, \d normal$"))
        expect(page.locator("#list .number").nth(2)).to_have_text(re.compile(r"\d"))
        expect(page.locator("#retry")).to_be_hidden()
    finally:
        page.context.close()
        server.kill()
        server.wait(60)
