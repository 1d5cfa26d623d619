"""The real command on the small random CLIP of tests/golden: every step but good scores; and its page in a browser.

With ANOMALYCLIP_SCREENSHOTS=FOLDER (`make screenshots`) the page runs on rendered boards with `pocket` and leaves the
pictures of docs/serve.md there. The state of the page is compared, never its pixels.
"""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from tests.served import served

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "PYTHONIOENCODING": "utf-8"}


@pytest.fixture(scope="session")
def small_model(golden_folder: Path) -> list[str]:
    """Options that choose the small CLIP."""
    clip, prompts = golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"
    options = f"--image-size 70 --layers 2,4,6 --threads 1 --device cpu --offline --model {clip} --prompts {prompts}"
    return options.split(" ")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Options that choose an export, for tests of what a process does: it starts without importing PyTorch."""
    export = tmp_path_factory.mktemp("tiny") / "export"
    shutil.copytree(Path(__file__).parents[1] / "light" / "tiny_export", export)  # reading it leaves a note beside it
    return ["--threads", "1", "--device", "cpu", "--offline", "--model", str(export)]


@pytest.fixture(scope="session")
def command(small_model: list[str]) -> Callable[..., list[str]]:
    """command("a.png", "--quiet") is the whole command line for a subprocess."""
    return lambda *args: [sys.executable, "-m", "anomalyclip", "detect", *small_model, *map(str, args)]


@pytest.fixture(scope="session")
def run(command: Callable[..., list[str]]) -> Callable[..., subprocess.CompletedProcess[bytes]]:
    """run("a.png", cwd=...) runs `anomalyclip detect` to its end in a process of its own."""

    def call(*args: object, cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(command(*args), cwd=cwd, env=ENVIRONMENT, capture_output=True, timeout=120, check=False)

    return call


@pytest.fixture
def detect(small_model: list[str]) -> Callable[..., int]:
    """detect("a.png") runs it in this process, which saves seconds of imports; gives the exit code."""
    from anomalyclip.cli import main

    def call(*args: object) -> int:
        with pytest.raises(SystemExit) as ended:
            main(["detect", *small_model, *map(str, args)])
        return int(ended.value.code or 0)

    return call


@pytest.fixture(scope="session")
def photos() -> Callable[..., Path]:
    """photos(folder, 5, size=(64, 48)) fills a folder with noise that differs from image to image."""

    def fill(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(1)
        for i in range(count):
            pixels = rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) // (1 + i % 5)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:04d}.png", compress_level=1)
        return folder

    return fill


@pytest.fixture(scope="session")
def rows_of() -> Callable[[Path], list[dict[str, Any]]]:
    """Rows of results.jsonl of an output folder, after checking that results.csv says the same."""

    def read(folder: Path) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]
        with (folder / "results.csv").open(newline="", encoding="utf-8") as file:
            table = list(csv.DictReader(file))
        assert len(table) == len(rows)
        for row, cells in zip(rows, table, strict=True):
            assert cells["path"] == row["path"].encode("utf-8", "backslashreplace").decode()
            assert cells["score"] == ("" if row["score"] is None else repr(row["score"]))
            assert cells["error"] == (row["error"] or "")
            assert cells["regions"] == ("" if row["score"] is None else str(len(row["regions"])))
            assert cells["region_peak"] == (repr(row["regions"][0]["peak"]) if row["regions"] else "")
        return rows

    return read


SHOTS = os.environ.get("ANOMALYCLIP_SCREENSHOTS")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NORMALS = 25


def take_shot(page: Page, name: str, *, full: bool = False) -> None:
    """Without the frame of the focus: where the last key went is no part of a picture."""
    assert SHOTS is not None
    if full:
        page.evaluate("scrollTo(0, 0)")  # else what sticks to the top stands below it
    page.evaluate("globalThis.focused = document.activeElement; focused.blur()")
    page.screenshot(path=Path(SHOTS) / f"{name}.png", full_page=full)
    page.evaluate("focused.focus()")


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
        """A picture for the documentation, once nothing on the page is in the making."""
        if SHOTS:
            from playwright.sync_api import expect

            for making in ("#progress", "#calibrating", "#status"):
                expect(self(making)).to_be_hidden()
            expect(self("#prognosis-words")).not_to_contain_text("Painting")
            self.page.wait_for_function("[...document.images].every(one => one.hidden || !one.src || one.naturalWidth)")
            self.page.evaluate("Promise.all(document.getAnimations().map(one => one.finished))")
            take_shot(self.page, name, full=full)

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
def watched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What would be the --output of a watch."""
    return tmp_path_factory.mktemp("watched")


@pytest.fixture(scope="module")
def address(small_model: list[str], watched: Path) -> Iterator[str]:
    """`anomalyclip serve` as a user starts it, on a free port."""
    with served(*([] if SHOTS else small_model), "--live", str(watched), env=ENVIRONMENT) as at:
        yield at


@pytest.fixture(scope="module")
def desk(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    if CHROMIUM is None:
        pytest.fail("no Chromium on this machine: run `make browser`, or apt-get install chromium")
    folder = tmp_path_factory.mktemp("images")
    odd, normals = (_rendered if SHOTS else _drawn)(folder)
    broken = folder / "notes.png"
    broken.write_text("no image")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
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
