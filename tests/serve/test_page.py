"""The page's files: complete, self-contained, and in step with the package."""

from __future__ import annotations

import re
import shutil
import subprocess

import numpy as np
import pytest

from anomalyclip.io.overlay import colours
from anomalyclip.serve.static import FOLDER

TEXTS = {path.name: path.read_text("utf-8") for path in sorted(FOLDER.iterdir())}


def test_the_colour_scale_is_the_packages() -> None:
    table = "".join(re.findall(r'"([0-9a-f]{6,})"', TEXTS["colours.js"]))
    np.testing.assert_array_equal(np.frombuffer(bytes.fromhex(table), np.uint8).reshape(256, 3), colours())


def test_nothing_is_loaded_from_elsewhere() -> None:
    for name, text in TEXTS.items():
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", re.sub(r"^\s*//.*$", "", text, flags=re.M)))
        assert addresses <= {"http://www.w3.org/2000/svg"}, name


def test_every_file_is_used_and_every_used_file_is_there() -> None:
    used = {"index.html", *re.findall(r'page/([\w.]+)"', TEXTS["index.html"])}
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
