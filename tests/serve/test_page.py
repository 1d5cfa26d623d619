"""The page's files: complete, self-contained, and in step with the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from anomalyclip.io.overlay import colours
from anomalyclip.serve.static import FOLDER, LANGUAGES

TEXTS = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.iterdir()) if path.is_file()}
SPOKEN = {path.stem: json.loads(path.read_text("utf-8")) for path in sorted(LANGUAGES.iterdir())}


def test_the_colour_scale_is_the_packages() -> None:
    table = "".join(re.findall(r'"([0-9a-f]{6,})"', TEXTS["colours.js"]))
    np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(table), np.uint8).reshape(256, 3), colours())


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, text in TEXTS.items():
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", re.sub(r"^\s*//.*$", "", text, flags=re.M)))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name


def test_every_file_is_used_and_every_used_file_is_there() -> None:
    used = {
        name for page in ("index.html", "docs.html") for name in [page, *re.findall(r'page/([\w.]+)"', TEXTS[page])]
    }
    used |= {name for text in TEXTS.values() for name in re.findall(r'from "\./([\w.]+)"', text)}
    assert used == set(TEXTS)


def test_ids_of_the_scripts_exist() -> None:
    ids = set(re.findall(r'id="([\w-]+)"', TEXTS["index.html"]))
    asked = {
        name for text in TEXTS.values() for name in re.findall(r'\$\("([\w-]+)"\)|getElementById\("([\w-]+)"\)', text)
    }
    assert {one or other for one, other in asked} <= ids


@pytest.mark.parametrize("name", [name for name in TEXTS if name.endswith(".js")])
def test_scripts_parse(name) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here; the browser test runs the scripts")
    done = subprocess.run(
        [node, "--input-type=module", "--check"], input=TEXTS[name].encode(), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_served_with_a_policy_that_forbids_everything_else(server) -> None:
    page = server.ask("GET", "/")
    assert page.body.decode() == TEXTS["index.html"]
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for name, kind in (("app.js", "javascript"), ("base.css", "text/css"), ("icon.svg", "image/svg+xml")):
        answer = server.ask("GET", f"/page/{name}")
        assert (answer.status, kind in answer.headers["content-type"]) == (200, True)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert server.ask("GET", f"/page/{name}", if_none_match=answer.headers["etag"]).status == 304
    for path in ("/page/../app.py", "/page/%2e%2e/app.py", "/page/nothing.js"):
        assert server.ask("GET", path).status == 404


class _Words(HTMLParser):
    """What a page says: its text, and the attributes that are read out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs) -> None:
        self._flush()
        self.found |= {
            value for name, value in attrs if name in ("aria-label", "title", "placeholder", "alt") and value
        }

    def handle_endtag(self, tag) -> None:
        self._flush()

    def handle_data(self, data) -> None:
        self._text += data

    def _flush(self) -> None:
        self.found.add(" ".join(self._text.split()))
        self._text = ""


def _said() -> set[str]:
    """English of the page and of its scripts: what say(...) and count(...) get, and tables that are said later."""
    found = _Words(TEXTS["index.html"]).found
    for name, script in TEXTS.items():
        if name.endswith(".js") and name not in ("language.js", "docs.js"):
            joined = re.sub(r'" \+\s*"', "", script)
            found |= set(re.findall(r'(?:say|tell)\(\s*"([^"]+)"', joined))
            found |= {text for pair in re.findall(r'count\([^"]+"([^"]+)", "([^"]+)"', joined) for text in pair}
            found |= {text for pair in re.findall(r'say\([^?;]*\? "([^"]+)"\s*: "([^"]+)"', joined) for text in pair}
    scripts = TEXTS["list.js"] + TEXTS["show.js"] + TEXTS["prognosis.js"]
    for table in re.findall(r"const (?:WAITING|SAID|STATES|KINDS) = {(.*?)};", scripts, re.S):
        found |= set(re.findall(r': "([^"]+)"', table))
    return {
        words for words in found if re.search(r"[A-Za-z]{2}", words) and not re.match(r"(anomalyclip|[a-z-]+\.)", words)
    }


@pytest.mark.parametrize("code", SPOKEN)
def test_a_language_says_everything_with_the_same_values(code) -> None:
    table = SPOKEN[code]
    spoken = _said()
    assert len(spoken) > 150
    assert spoken - table.keys() == set()
    for english, other in table.items():
        assert set(re.findall(r"{\w+}", english)) == set(re.findall(r"{\w+}", other)), english


def test_the_languages_are_the_files(server) -> None:
    told = server.ask("GET", "/languages").json
    assert {one["code"] for one in told} == SPOKEN.keys() == {"de"}
    assert server.ask("GET", "/page/languages/de.json").json == SPOKEN["de"]
