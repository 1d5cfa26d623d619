"""`report.html`: one self-contained page, written in a stream from `results.jsonl` and `cards.jsonl`."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

from anomalyclip.detect import folder
from anomalyclip.detect.journal import Row, read_rows, row_at
from anomalyclip.detect.report_chart import chart
from anomalyclip.detect.summary import Summary
from anomalyclip.detect.writers import MAX_CARDS, card_key
from anomalyclip.io.atomic import atomic_write
from anomalyclip.io.names import printable
from anomalyclip.io.scanning import PassedOver
from anomalyclip.version import __version__

_COLOUR_STOPS = 9
MOST_SCORES = 100_000
"""Scores that the page counts with when its threshold is moved; beyond, it counts in the histogram's steps."""


def write_report(path: Path, key_of: Callable[[Row], bytes | None], *, max_cards: int = MAX_CARDS) -> Path:
    """Build `report.html` in an output folder from everything it holds; returns its path.

    key_of: the key of a row, see `OutputFolder.key_of`. At most `max_cards` images, the highest scores, are shown as
    cards; counts, histogram and failures cover all rows. File names are untrusted: everything is escaped, and the
    page's policy forbids loading anything. Raises OutputError.
    """
    summary = Summary(keep=max_cards)
    first: Row | None = None
    scores = array("f")
    for offset, row in read_rows(path / folder.RESULTS):
        first = first or row
        summary.add(row, offset)
        if row["score"] is not None and len(scores) < MOST_SCORES:
            scores.append(row["score"])
    target = path / folder.REPORT
    with atomic_write(target) as aside, aside.open("w", encoding="utf-8", errors="backslashreplace") as page:
        page.write(_head(summary, first))
        page.writelines(_card(card) for card in _cards(path, summary.top(), key_of))
        page.write(_tail(summary, _passed_over(path), scores))
    return target


def _passed_over(path: Path) -> str:
    """What the input folders hold and was no input, from run.json."""
    try:
        told = json.loads((path / folder.RUN).read_bytes()).get(folder.PASSED)
        lines = list(PassedOver.recorded(told).lines())
    except (OSError, ValueError, AttributeError, TypeError):  # there is none, or it is not ours
        return ""
    return "".join(f'<p class="passed">{_text(line)}</p>\n' for line in lines)


@dataclass(frozen=True)
class _Card:
    row: Row
    image: str | None
    heat: str | None
    overlay: str | None  # a relative link
    pairs: Sequence[Mapping[str, str]] = ()


def _cards(path: Path, offsets: list[int], key_of: Callable[[Row], bytes | None]) -> Iterator[_Card]:
    """The chosen rows with their thumbnails, looked up on disk one at a time."""
    if not offsets:
        return
    with (path / folder.RESULTS).open("rb") as results:
        keys = [key_of(row_at(results, offset)) for offset in offsets]
        wanted = set(keys)
        places = {
            key: place for place, card in read_rows(path / folder.CARDS) if (key := card_key(card)) and key in wanted
        }
        with (path / folder.CARDS).open("rb") as cards:
            for offset, key in zip(offsets, keys, strict=True):
                card = row_at(cards, places[key]) if key in places else {}
                image, heat, pairs = card.get("image"), card.get("heat"), card.get("pairs") or ()
                yield _Card(row_at(results, offset), image, heat, _overlay_link(path, card), pairs)


def _overlay_link(path: Path, card: Mapping[str, Any]) -> str | None:
    relative = f"{folder.OVERLAYS}/{card.get('name')}.png"
    return quote(os.fsencode(relative)) if card and (path / relative).is_file() else None


def _asset(name: str) -> str:
    return files("anomalyclip.detect").joinpath(name).read_text(encoding="utf-8")


def _text(value: object) -> str:
    return escape(printable(str(value)), quote=True)


def _head(summary: Summary, first: Row | None) -> str:
    title = f"Anomaly report, {summary.count:,} image{'s' * (summary.count != 1)}"
    policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
    settings = first["settings"] if first else {}
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
{_asset("report.css")}
.scale i {{ background: linear-gradient(90deg, {_gradient()}); }}
</style>
</head>
<body>
<header>
<div class="title"><h1>{title}</h1><button id="theme" type="button" hidden>Dark</button></div>
{_facts(first)}
</header>
<main>
<section class="overview" aria-label="Overview">
{_tiles(summary)}
{chart(summary, settings.get("threshold"))}
</section>
{_failures(summary)}
{_controls(summary)}
<div id="gallery">
"""


def _facts(first: Row | None) -> str:
    made = datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M UTC")
    facts = {"Model": first["model"], "Prompts": first["prompts"]} if first else {}
    settings = first["settings"] if first else {}
    facts |= {"Version": settings.get("version", __version__), "Made": made}
    line = "".join(f"<div><dt>{_text(k)}</dt><dd>{_text(v)}</dd></div>" for k, v in facts.items())
    rows = "".join(f"<tr><th>{_text(k)}</th><td>{_text(v)}</td></tr>" for k, v in settings.items())
    return f"""<dl class="facts">{line}</dl>
<details><summary>Settings</summary><table class="settings">{rows}</table></details>"""


def _tiles(summary: Summary) -> str:
    undecided = summary.scored - summary.anomalous - summary.normal
    tiles = {
        "images": (summary.count, ""),
        "anomalous": (summary.anomalous, "anomalous"),
        "normal": (summary.normal, "normal"),
        "without decision": (undecided, ""),
        "failed": (summary.failed, "failed"),
    }
    shown = {label: tile for label, tile in tiles.items() if tile[0] or label == "images"}
    inner = "".join(
        f'<div class="tile {kind}"><b>{n:,}</b><span>{label}</span></div>' for label, (n, kind) in shown.items()
    )
    return f'<div class="tiles">{inner}</div>'


def _failures(summary: Summary) -> str:
    if not summary.failed:
        return ""
    rows = "".join(f"<tr><th>{_text(path)}</th><td>{_text(reason)}</td></tr>" for path, reason in summary.failures)
    more = summary.failed - len(summary.failures)
    note = f"<p>and {more:,} more, see results.csv</p>" if more else ""
    is_open = " open" if summary.failed <= 10 else ""
    return f"""<details class="failures"{is_open}><summary>{summary.failed:,} failed</summary>
<div class="scroll"><table>{rows}</table></div>{note}</details>
"""


def _controls(summary: Summary) -> str:
    shown = min(summary.scored, summary.keep)
    note = ""
    if shown < summary.scored:
        note = f"<p>Shown are the {shown:,} highest scores of {summary.scored:,}; results.csv lists all.</p>"
    kinds = {"anomalous": summary.anomalous, "normal": summary.normal}
    filters = ""
    if any(kinds.values()):
        buttons = "".join(f'<button type="button" data-filter="{k}" aria-pressed="false">{k}</button>' for k in kinds)
        filters = (
            '<div class="filters" role="group" aria-label="Filter by decision">'
            f'<button type="button" data-filter="" aria-pressed="true">all</button>{buttons}</div>'
        )
    return f"""<form class="controls" id="controls" hidden>
{filters}
<label>Sort <select id="sort"><option value="high">highest score first</option>
<option value="low">lowest score first</option>
<option value="name">name</option></select></label>
<label>Find <input id="find" type="search" placeholder="part of the name" autocomplete="off"></label>
<output id="shown"></output>
<span class="scale">0 <i></i> 1 <span>anomaly</span></span>
</form>
{note}"""


def _card(card: _Card) -> str:
    row = card.row
    name, score, decision = _text(row["path"]), row["score"], row["decision"]
    badge = f'<span class="badge {decision}">{decision}</span>' if decision else ""
    problem = f'<p class="problem">{_text(row["error"])}</p>' if row["error"] else ""
    regions = len(row["regions"])
    detail = f"{row['width']} × {row['height']}" + (f", {regions} region{'s' * (regions != 1)}" if regions else "")
    detail += _geometry_words(row.get("geometry") or {})
    problem += "".join(f'<p class="detail">{_text(note)}</p>' for note in row.get("notes") or ())
    if row.get("p_value") is not None:
        detail += f", p = {row['p_value']:.3g}"
    link = f' · <a href="{card.overlay}" target="_blank" rel="noopener">overlay</a>' if card.overlay else ""
    return f"""<article data-score="{score:.9g}" data-decision="{decision or ""}" data-name="{name}">
{_pictures(card, name)}
<h2>{name}</h2>
<p class="score"><b>{score:.3f}</b><span class="bar"><i style="width:{100 * score:.1f}%"></i></span>{badge}</p>
<p class="detail">{detail}{link}</p>{_pairs(card)}{problem}
</article>
"""


def _pairs(card: _Card) -> str:
    """The strongest regions, each beside the good patch that it was compared with."""
    if not card.pairs:
        return ""
    shown = "".join(
        f'<figure><img src="{escape(pair["own"], quote=True)}" alt="this patch" loading="lazy">'
        f'<img src="{escape(pair["good"], quote=True)}" alt="nearest good patch" loading="lazy">'
        f"<figcaption>{_text(pair['words'])}</figcaption></figure>"
        for pair in card.pairs
    )
    return f'<details class="pairs"><summary>beside the nearest good patch</summary>{shown}</details>'


def _geometry_words(geometry: Mapping[str, Any]) -> str:
    """How the image was laid out, where that is not plain: ", 12 views, 83% counted"."""
    views, inside = geometry.get("views", 1), geometry.get("inside", 1)
    told = [f"{views:,} views"] if views > 1 else []
    told += [f"{100 * inside:.3g}% counted"] if inside < 1 else []
    return "".join(f", {words}" for words in told)


def _pictures(card: _Card, name: str) -> str:
    if not card.image or not card.heat:
        return '<p class="blank">no preview</p>'
    original, heat = escape(card.image, quote=True), escape(card.heat, quote=True)
    return (
        f'<button type="button" class="pictures" aria-label="Enlarge {name}">'
        f'<img src="{original}" alt="original" loading="lazy" decoding="async">'
        f'<img src="{heat}" alt="heat map" loading="lazy" decoding="async"></button>'
    )


def _tail(summary: Summary, passed: str, scores: array[float]) -> str:
    empty = "" if summary.scored else '<p class="empty">No image has a score.</p>'
    return f"""</div>
{empty}
<p class="empty" id="none" hidden>No picture matches.</p>
<section id="said" hidden aria-label="Corrections"><h2>Corrections</h2>
<p>Run this to tell the profile; <b>--undo</b> takes it back. Put the profile's file in place of line.json.</p>
<pre id="command" tabindex="0"></pre>
<button type="button" id="copy">Copy</button> <button type="button" id="unsay">Forget them</button></section>
{passed}</main>
<footer>Left the image, right the same with its anomaly map on a fixed scale from 0 to 1:
equal colours mean equal values in every picture. Made by anomalyclip {_text(__version__)}.</footer>
<dialog id="viewer" aria-label="Enlarged image"><div class="large"><img alt="original"><img alt="heat map"></div>
<p></p><form method="dialog"><button type="button" data-step="-1">← previous</button>
<button type="button" data-step="1">next →</button>
<button type="button" data-said="normal" aria-pressed="false">false alarm</button>
<button type="button" data-said="faulty" aria-pressed="false">really faulty</button>
<button>close</button></form></dialog>
<script type="application/json" id="scores">[{",".join(f"{score:.6g}" for score in sorted(scores))}]</script>
<script>
{_asset("report.js")}
</script>
</body>
</html>
"""


def _gradient() -> str:
    from anomalyclip.io.overlay import colours

    table = colours()
    picked = [table[round(i * 255 / (_COLOUR_STOPS - 1))] for i in range(_COLOUR_STOPS)]
    return ", ".join("#" + "".join(f"{int(channel):02x}" for channel in colour) for colour in picked)
