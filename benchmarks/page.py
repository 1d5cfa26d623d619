"""How quickly the web page and report.html come up and scroll, in headless Chromium.

    python benchmarks/page.py [--pictures 200] [--cards 5000] [--model pocket]
    python benchmarks/page.py --pictures 5000 --cards 0 --model tests/light/tiny_export

Prints one table: first paint of the page, frames per second while list and grid of so many pictures are scrolled
through and the threshold is moved, the page's memory, how long it takes to come back after a reload, and how long a
report of so many cards takes until it can be used. Figures: docs/serve.md.
"""

from __future__ import annotations

import argparse
import base64
import io
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from tests.served import served

PAINTS = 5
SCROLL = """async (selector) => {
  const element = selector ? document.querySelector(selector) : document.scrollingElement;
  const end = element.scrollHeight - element.clientHeight;
  const times = [];
  const begun = performance.now();
  for (let now = begun; now - begun < 4000; ) {
    now = await new Promise(requestAnimationFrame);
    times.push(now);
    element.scrollTop = end * Math.min(1, Math.max(0, now - begun) / 4000);
  }
  return times;
}"""
MOVE = """async () => {
  const slider = document.getElementById("threshold");
  const times = [];
  for (let step = 0; step < 120; step++) {
    slider.value = 0.2 + step / 200;
    slider.dispatchEvent(new Event("input"));
    times.push(await new Promise(requestAnimationFrame));
  }
  return times;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--cards", type=int, default=5000)
    parser.add_argument("--model", default="pocket")
    given = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("Chromium is missing: make browser")
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        rows = list(of_page(browser, Path(scratch), given))
        rows += of_report(browser, Path(scratch), given.cards) if given.cards else []
        browser.close()
    print("| what | measured |\n|---|---|")
    for what, value in rows:
        print(f"| {what} | {value} |")


def of_page(browser: Browser, scratch: Path, given: argparse.Namespace) -> Iterator[tuple[str, str]]:
    errors: list[str] = []
    model = given.model
    if Path(model).is_dir():  # reading an export leaves a note beside it
        model = str(shutil.copytree(model, scratch / "model"))
    with served("--model", model) as address:
        paints = [first_paint(browser, address) for _ in range(PAINTS)]
        yield "first paint of the page, median of 5", f"{statistics.median(paints):.0f} ms"
        page = opened(browser, errors)
        page.goto(address)
        page.set_input_files("#files", drawn(scratch, given.pictures))
        page.wait_for_selector("#progress", state="hidden", timeout=7_200_000)
        for what, key in (("list", ""), ("grid", "g")):
            if key:
                page.locator("#name").click()
                page.keyboard.press(key)
            yield (
                f"{what} of {given.pictures} pictures, scrolled through in 4 s",
                frames(page.evaluate(SCROLL, "#list")),
            )
            if key:
                page.keyboard.press(key)
        yield "threshold moved 120 times", frames(page.evaluate(MOVE))
        heap = page.evaluate("performance.memory.usedJSHeapSize")
        yield "memory of its scripts", f"{heap / 1e6:.0f} MB"
        start = time.perf_counter()
        page.reload()
        page.wait_for_selector("#list .item")
        yield "list back after a reload", f"{time.perf_counter() - start:.1f} s"
    yield "errors on the console", str(len(errors))


def of_report(browser: Browser, scratch: Path, cards: int) -> Iterator[tuple[str, str]]:
    errors: list[str] = []
    path = report(scratch / "report", cards)
    took: dict[str, list[float]] = {"first picture": [], "list, filter and slider": [], "last picture": []}
    for _ in range(3):
        page = opened(browser, errors)
        start = time.perf_counter()
        page.goto(path.as_uri(), wait_until="commit", timeout=120_000)
        for what, selector in zip(took, ("article .pictures img", "#controls:not([hidden])"), strict=False):
            page.wait_for_selector(selector, timeout=120_000)
            took[what].append(time.perf_counter() - start)
        page.evaluate("document.scrollingElement.scrollTop = document.scrollingElement.scrollHeight")
        page.wait_for_selector("article:last-child img", timeout=120_000)
        took["last picture"].append(time.perf_counter() - start)
        page.evaluate("document.scrollingElement.scrollTop = 0")
        scrolled = frames(page.evaluate(SCROLL, ""))
        page.close()
    size = path.stat().st_size / 1e6
    yield f"report.html of {cards} pictures", f"{size:.0f} MB"
    for what, seconds in took.items():
        yield f"{what} of it, median of 3", f"{statistics.median(seconds):.2f} s"
    yield "the same, scrolled through in 4 s", scrolled
    yield "errors on its console", str(len(errors))


def opened(browser: Browser, errors: list[str]) -> Page:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    return page


def first_paint(browser: Browser, address: str) -> float:
    """Milliseconds to the first contentful paint, with an empty cache."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(address)
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length")
    found: float = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    context.close()
    return found


def frames(times: list[float]) -> str:
    gaps = np.diff(times)
    return f"{1000 / gaps.mean():.0f} frames per second, the slowest in 20: {np.quantile(gaps, 0.95):.0f} ms"


def drawn(scratch: Path, count: int) -> list[str]:
    rng = np.random.default_rng(0)
    paths = []
    for i in range(count):
        pixels = rng.integers(90, 150, (192, 256, 3), dtype=np.uint8)
        pixels[40:80, 60 : 60 + i % 120] = (200, 40, 30)
        paths.append(scratch / f"part number {i:05d} of the line.png")
        Image.fromarray(pixels).save(paths[-1], compress_level=1)
    return [str(path) for path in paths]


def report(folder: Path, cards: int) -> Path:
    """Of as many rows, each with two small pictures of about 10 kB."""
    from anomalyclip.detect import InputItem, OutputFolder, Provenance, Result, Thumbnails, write_report
    from anomalyclip.detect.names import path_key

    rng = np.random.default_rng(0)
    with OutputFolder(folder, "overwrite") as out:
        out.begin(Provenance("pocket", "built in", {"threshold": 0.5}), files={}, cwd="/data")
        shown = [picture(rng) for _ in range(20)]
        for i, score in enumerate(rng.random(cards)):
            name = f"/data/part number {i:05d}.png"
            decision: Any = "anomalous" if score >= 0.5 else "normal"
            thumbnails = Thumbnails(shown[i % 20], shown[(i + 1) % 20])
            item = InputItem(name, str(i), path_key(name))
            out.append(Result(item, 256, 192, float(score), decision, thumbnails=thumbnails))
    return write_report(out.path, out.key_of)


def picture(rng: np.random.Generator) -> str:
    small = Image.fromarray(rng.integers(60, 200, (30, 40, 3), dtype=np.uint8)).resize(
        (320, 240), Image.Resampling.BICUBIC
    )
    noise = rng.integers(0, 6, (240, 320, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.asarray(small) // 2 + noise).save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


if __name__ == "__main__":
    main()
