"""What stands around the pictures of `report.html`: head, counts, failures, controls, corrections, scripts."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from datetime import datetime, timezone
from importlib.resources import files
from itertools import islice

from anomalyclip.detect.journal import Row
from anomalyclip.detect.report_card import Card, card_html, inside_html, shell_html, text
from anomalyclip.detect.report_chart import chart
from anomalyclip.detect.summary import Summary
from anomalyclip.version import __version__

_COLOUR_STOPS = 9
_AT_ONCE = 24  # pictures that stand at once; the others follow the script, and come as the file is read


def pages(
    summary: Summary,
    first: Row | None,
    rows: Iterable[Row],
    cards: Iterable[Card],
    passed: str = "",
    scores: array[float] | None = None,
) -> Iterator[str]:
    """The report in pieces: counts, list and scripts first, so that they work while thousands of pictures are read.

    first: a row whose model and settings are told. rows, cards: the same ones, in the order shown. passed: HTML of what
    was no input. scores: that are counted with when the threshold is moved; without them, the histogram's steps are.
    """
    yield _head(summary, first)
    left = iter(cards)
    for card in islice(left, _AT_ONCE):
        yield card_html(card)
    for number, row in enumerate(islice(rows, _AT_ONCE, None), _AT_ONCE):
        yield shell_html(row, number)
    yield _tail(summary, passed, array("f") if scores is None else scores)
    for number, card in enumerate(left, _AT_ONCE):
        yield inside_html(card, number)
    yield "</body>\n</html>\n"


def _asset(name: str) -> str:
    return files("anomalyclip.detect").joinpath(name).read_text(encoding="utf-8")


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
    line = "".join(f"<div><dt>{text(k)}</dt><dd>{text(v)}</dd></div>" for k, v in facts.items())
    rows = "".join(f"<tr><th>{text(k)}</th><td>{text(v)}</td></tr>" for k, v in settings.items())
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
    rows = "".join(f"<tr><th>{text(path)}</th><td>{text(reason)}</td></tr>" for path, reason in summary.failures)
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


def _tail(summary: Summary, passed: str, scores: array[float]) -> str:
    empty = "" if summary.scored else '<p class="empty">No image has a score.</p>'
    return f"""</div>
{empty}
<noscript><p class="empty">Pictures need scripts, which are not allowed here; results.csv lists all.</p></noscript>
<p class="empty" id="none" hidden>No picture matches.</p>
<p class="empty first-ones" id="printed"></p>
<section id="said" hidden aria-label="Corrections"><h2>Corrections</h2>
<p>Run this to tell the profile; <b>--undo</b> takes it back. Put the profile's file in place of line.json.
Or save them and run it with <b>--said-in said.json</b> in place of the names.</p>
<pre id="command" tabindex="0"></pre>
<button type="button" id="copy">Copy</button> <button type="button" id="export">Save as a file</button>
<button type="button" id="unsay">Forget them</button></section>
{passed}</main>
<footer>Left the image, right the same with its anomaly map on a fixed scale from 0 to 1:
equal colours mean equal values in every picture. Made by anomalyclip {text(__version__)}.</footer>
<dialog id="viewer" aria-label="Enlarged image"><div class="large">
<img alt="original"><img alt="heat map"><i hidden></i><i hidden></i></div>
<p></p><form method="dialog"><button type="button" data-step="-1">← previous</button>
<button type="button" data-step="1">next →</button>
<label>of <select id="part"><option value="">the whole picture</option></select></label>
<button type="button" data-said="normal" aria-pressed="false">false alarm</button>
<button type="button" data-said="faulty" aria-pressed="false">really faulty</button>
<button>close</button></form></dialog>
<script type="application/json" id="scores">[{",".join(f"{score:.6g}" for score in sorted(scores))}]</script>
<script>
{_asset("report.js")}
</script>
"""


def _gradient() -> str:
    from anomalyclip.io.overlay import colours

    table = colours()
    picked = [table[round(i * 255 / (_COLOUR_STOPS - 1))] for i in range(_COLOUR_STOPS)]
    return ", ".join("#" + "".join(f"{int(channel):02x}" for channel in colour) for colour in picked)
