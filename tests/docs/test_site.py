"""The built site: no warnings, every option of every command has a place of its own, and the real search finds it."""

from __future__ import annotations

import functools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from anomalyclip.cli._group import VERBS

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def options() -> Iterator[tuple[str, tuple[str, ...]]]:
    """(verb, all names of an option), from the program itself."""
    for verb in VERBS:
        command = import_module(f"anomalyclip.cli.{verb}").app
        for one in getattr(command, "commands", {verb: command}).values():
            for param in one.params:
                if param.param_type_name == "option":
                    yield verb, (*param.opts, *param.secondary_opts)


def test_every_option_has_a_heading_in_the_search_index(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))["docs"]
    missing = [
        (verb, name)
        for verb, names in options()
        for name in names
        if not any(
            entry["location"].startswith(f"reference/cli/{verb}/#") and f"<code>{name}</code>" in entry["title"]
            for entry in index
        )
    ]
    assert not missing


def test_no_page_shows_a_role_as_it_is_written(site: Path) -> None:
    """Sphinx's roles mean nothing to Markdown."""
    shown = [
        page
        for page in site.glob("reference/**/*.html")
        if re.search(r":(meth|class|func|mod|attr):", page.read_text("utf-8"))
    ]
    assert not shown


def test_no_link_leads_nowhere_in_readme() -> None:
    """MkDocs checks the pages; README is none of them."""
    text = (ROOT / "README.md").read_text("utf-8")
    targets = [part.split(")")[0].split("#")[0] for part in text.split("](")[1:]]
    assert not [one for one in targets if one and "://" not in one and not (ROOT / one).exists()]


class Quiet(SimpleHTTPRequestHandler):
    """Serves without a line per request."""

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_search_box_finds_options_as_they_are_written(address: str) -> None:
    """With its dashes, which lunr would take as "not"."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page()
        page.route(lambda url: not url.startswith(address), lambda route: route.abort())  # fonts of Google
        page.goto(address, wait_until="domcontentloaded")
        for query, target in (("--keep-mb", "cli/watch/"), ("--pixel-rule", "cli/calibrate/")):
            page.locator("input[name=query]").fill("")
            page.locator("input[name=query]").press_sequentially(query)  # it listens for keys
            expect(page.locator(".md-search-result__link").first).to_have_attribute(
                "href",
                re.compile(re.escape(target)),
                timeout=60_000,  # a busy machine answers after the last key but one
            )
        browser.close()
