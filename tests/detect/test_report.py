"""The report read back as a browser would: structure by an HTML parser, nothing loaded, nothing injected."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anomalyclip.detect import OutputFolder, Provenance, Result, Thumbnails, write_report

_VOID = {"meta", "img", "input", "br"}


class Page(HTMLParser):
    """Every element with its attributes, and the text of each kind of element."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text: dict[str, list[str]] = {}
        self.feed(
            re.sub(r'<script type="text/plain" id="inside-\d+">(.*?)</script>', r"\1", html, flags=re.S)
        )  # as the page unfolds it
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open:
            self.text.setdefault(self.open[-1], []).append(data)

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def report(tmp_path: Path, provenance: Provenance) -> Callable[..., Page]:
    def build(*results: Result, provenance: Provenance = provenance, **options: int) -> Page:
        with OutputFolder(tmp_path / "out", "overwrite") as folder:
            folder.begin(provenance, files={}, cwd="/data")
            for result in results:
                folder.append(result)
        path = write_report(folder.path, folder.key_of, **options)
        return Page(path.read_text(encoding="utf-8"))

    return build


def shown(result_of: Callable[..., Result], name: str, score: float) -> Result:
    return result_of(f"/data/{name}", score, thumbnails=Thumbnails(f"data:image/jpeg;base64,{name[0]}", "data:,h"))


def test_cards_stand_in_order_of_their_scores_with_their_own_pictures(
    report: Callable[..., Page], result_of: Callable[..., Result]
) -> None:
    page = report(*(shown(result_of, f"{n}.png", s) for n, s in (("a", 0.2), ("b", 0.9), ("c", 0.6))))
    cards = page.of("article")
    assert [c["data-name"] for c in cards] == ["/data/b.png", "/data/c.png", "/data/a.png"]
    assert [c["data-decision"] for c in cards] == ["anomalous", "anomalous", "normal"]
    pictures = [i["src"] for i in page.of("img") if "src" in i]
    assert pictures == ["data:image/jpeg;base64,b", "data:,h", "data:image/jpeg;base64,c", "data:,h",
                        "data:image/jpeg;base64,a", "data:,h"]  # fmt: skip
    assert page.text["b"][:3] == ["3", "2", "1"], "images, anomalous, normal"
    assert "Anomaly report, 3 images" in page.text["h1"]
    assert {"stub", "none", "0"} <= set(page.text["dd"])
    assert {"image_size", "threshold"} <= set(page.text["th"])
    assert [line["x1"] for line in page.of("line")] == ["250"], "the threshold 0.5 in the histogram"
    bars = [rect["x"] for rect in page.of("rect")]
    assert bars == ["210.5", "260.5", "300.5"], "0.2, 0.6 and 0.9 in 50 steps of log odds from 0.0001 to 0.9999"
    assert page.text["script"][0] == "[0.2,0.6,0.9]", "what the slider counts with"
    assert [one["id"] for one in page.of("input")] == ["cut", "find"]


def test_nothing_is_loaded_from_anywhere(report: Callable[..., Page], result_of: Callable[..., Result]) -> None:
    page = report(shown(result_of, "a.png", 0.5))
    assert page.of("link") == []
    assert all("src" not in script for script in page.of("script"))
    assert all(image.get("src", "data:").startswith("data:") for image in page.of("img"))
    (policy,) = [m["content"] for m in page.of("meta") if m.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    css_and_script = "".join(page.text["style"] + page.text["script"])
    assert not re.search(r"https?:|url\(|@import|fetch\(", css_and_script)


HOSTILE = ['"><script>alert(1)</script>.png', "<img src=x onerror=alert(1)>.png", "a' onclick='x.png", "&lt;.png",
           "</script><b>.png", os.fsdecode(b"caf\xe9.png"), "line\nbreak\u202e.png"]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(report: Callable[..., Page], result_of: Callable[..., Result], name: str) -> None:
    clean = report(shown(result_of, "a.png", 0.5), result_of("/data/b.png", None, "why"))
    evil = report(shown(result_of, name, 0.5), result_of(f"/data/x{name}", None, f"{name} is bad"))
    assert [tag for tag, _ in evil.elements] == [tag for tag, _ in clean.elements]
    assert [sorted(a) for _, a in evil.elements] == [sorted(a) for _, a in clean.elements]
    assert name.isprintable() == (evil.of("article")[0]["data-name"] == f"/data/{name}")


def test_failures_are_listed_with_their_reasons(report: Callable[..., Page], result_of: Callable[..., Result]) -> None:
    page = report(result_of("/data/a.png", None, "the file is truncated"), shown(result_of, "b.png", 0.3))
    assert "the file is truncated" in page.text["td"]
    assert "1 failed" in page.text["summary"]
    assert len(page.of("article")) == 1


def test_a_scored_image_whose_files_failed_is_a_card_with_the_reason(
    report: Callable[..., Page], result_of: Callable[..., Result]
) -> None:
    page = report(result_of("/data/a.png", 0.7, "cannot write overlays/a.png"))
    assert len(page.of("article")) == 1
    assert "cannot write overlays/a.png" in page.text["p"]
    assert "no preview" in page.text["p"]


def test_only_the_highest_scores_are_shown_and_the_page_says_so(
    report: Callable[..., Page], result_of: Callable[..., Result]
) -> None:
    page = report(*(shown(result_of, f"{i}.png", i / 10) for i in range(8)), max_cards=3)
    assert [c["data-score"] for c in page.of("article")] == ["0.7", "0.6", "0.5"]
    assert any("3 highest scores of 8" in text for text in page.text["p"])
    assert page.text["b"][0] == "8"


def test_links_lead_to_the_overlay_that_exists(
    report: Callable[..., Page], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    result = shown(result_of, "a.png", 0.5)
    result = replace(result, item=replace(result.item, name=os.fsdecode(b"sub/caf\xe9 #1")))
    assert report(result).of("a") == []
    (tmp_path / "out/overlays/sub").mkdir(parents=True)
    (tmp_path / "out" / os.fsdecode(b"overlays/sub/caf\xe9 #1.png")).write_bytes(b"x")
    page = Page(write_report(tmp_path / "out", lambda row: result.item.key).read_text())
    assert [a["href"] for a in page.of("a")] == ["overlays/sub/caf%E9%20%231.png"]


def test_without_a_threshold_there_is_no_filter(report: Callable[..., Page], result_of: Callable[..., Result]) -> None:
    page = report(replace(shown(result_of, "a.png", 0.5), decision=None), provenance=Provenance("m", "p", {}))
    assert [b for b in page.of("button") if "data-filter" in b] == []
    assert page.of("line") == []


def test_no_rows_at_all(report: Callable[..., Page]) -> None:
    page = report()
    assert page.of("article") == []
    assert "No image has a score." in page.text["p"]


@pytest.mark.parametrize(
    ("path", "heading"),
    [
        ("/data/part.png", "/data/<b>part.png</b>"),
        ("day 1/a&b/<i>.png", "day 1/a&amp;b/<b>&lt;i&gt;.png</b>"),
        (r"C:\line\part.png", r"C:\line\<b>part.png</b>"),
    ],
)
def test_a_card_tells_the_file_from_its_folder(
    report: Callable[..., Page], result_of: Callable[..., Result], tmp_path: Path, path: str, heading: str
) -> None:
    report(result_of(path, 0.4))
    assert f"<h2>{heading}</h2>" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_pictures_beyond_the_first_follow_the_script_in_the_order_of_their_cards(
    report: Callable[..., Page], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    page = report(*(shown(result_of, f"{i}.png", i / 40) for i in range(40)))
    html = (tmp_path / "out" / "report.html").read_text("utf-8")
    before, script, behind = html.partition('"use strict"')
    assert script, "the page's script"
    assert (before.count("<h2>/data/"), behind.count("<h2>/data/")) == (24, 16)
    assert [c["data-name"] for c in page.of("article")] == [f"/data/{i}.png" for i in range(39, -1, -1)]
    numbers = [c["data-inside"] for c in page.of("article") if "data-inside" in c]
    insides = re.findall(r'<script type="text/plain" id="inside-(\d+)">.*?<h2>/data/<b>(\d+).png</b></h2>', html, re.S)
    assert insides == [(number, str(39 - int(number))) for number in numbers]
