"""One picture of `report.html`: a card, whose inside the page's script unfolds when it comes into view."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from anomalyclip.detect.journal import Row
from anomalyclip.io.names import printable

_FRAMED = 20  # regions of a picture that the enlarged one can frame


@dataclass(frozen=True)
class Card:
    """A row of `results.jsonl` with its small pictures (data URIs), a relative link to its overlay, and its regions'
    good neighbours."""

    row: Row
    image: str | None
    heat: str | None
    overlay: str | None = None
    pairs: Sequence[Mapping[str, str]] = ()


def text(value: object) -> str:
    """Untrusted words, safe in a page."""
    return escape(printable(str(value)), quote=True)


def card_html(card: Card) -> str:
    """An article that is there from the first, and without a script."""
    return f"<article {_told(card.row)}>\n{_inside(card)}\n</article>\n"


def shell_html(row: Row, number: int) -> str:
    """An article without its inside: what sorting, filters and the threshold need. It is laid out by the script."""
    return f'<article class="later" data-inside="{number}" {_told(row)}></article>\n'


def inside_html(card: Card, number: int) -> str:
    """The inside of the article `number`, which is text for the parser: no name ends it, "<" is escaped."""
    return f'<script type="text/plain" id="inside-{number}">\n{_inside(card)}\n</script>\n'


def _told(row: Row) -> str:
    told = {
        "score": f"{row['score']:.9g}",
        "decision": row["decision"] or "",
        "name": text(row["path"]),
        "regions": len(row["regions"]),
        "boxes": _boxes(row),
    }
    return " ".join(f'data-{key}="{value}"' for key, value in told.items())


def _boxes(row: Row) -> str:
    """Where the strongest regions lie: left, top, width and height in per cent of the picture."""
    sides = (row["width"], row["height"]) * 2
    shown = [region["box"] for region in row["regions"][:_FRAMED]]
    return ";".join(
        ",".join(f"{100 * side / whole:.4g}" for side, whole in zip(box, sides, strict=True)) for box in shown
    )


def _inside(card: Card) -> str:
    row = card.row
    name, score, decision = text(row["path"]), row["score"], row["decision"]
    badge = f'<span class="badge {decision}">{decision}</span>' if decision else ""
    problem = f'<p class="problem">{text(row["error"])}</p>' if row["error"] else ""
    regions = len(row["regions"])
    detail = f"{row['width']} × {row['height']}" + (f", {regions} region{'s' * (regions != 1)}" if regions else "")
    detail += _geometry_words(row.get("geometry") or {})
    problem += "".join(f'<p class="detail">{text(note)}</p>' for note in row.get("notes") or ())
    if row.get("p_value") is not None:
        detail += f", p = {row['p_value']:.3g}"
    link = f' · <a href="{card.overlay}" target="_blank" rel="noopener">overlay</a>' if card.overlay else ""
    return f"""{_pictures(card, name)}
<h2>{_heading(row["path"])}</h2>
<p class="score"><b>{score:.3f}</b><span class="bar"><i style="width:{100 * score:.1f}%"></i></span>{badge}</p>
<p class="detail">{detail}{link}</p>{_pairs(card)}{problem}"""


def _heading(path: str) -> str:
    """The folder, and the file's own name, which stays in one line where it can."""
    own = re.split(r"[/\\]", path)[-1]
    return f"{text(path.removesuffix(own))}<b>{text(own)}</b>"


def _pairs(card: Card) -> str:
    """The strongest regions, each beside the good patch that it was compared with."""
    if not card.pairs:
        return ""
    shown = "".join(
        f'<figure><img src="{escape(pair["own"], quote=True)}" alt="this patch" loading="lazy">'
        f'<img src="{escape(pair["good"], quote=True)}" alt="nearest good patch" loading="lazy">'
        f"<figcaption>{text(pair['words'])}</figcaption></figure>"
        for pair in card.pairs
    )
    return f'<details class="pairs"><summary>beside the nearest good patch</summary>{shown}</details>'


def _geometry_words(geometry: Mapping[str, Any]) -> str:
    """How the image was laid out, where that is not plain: ", 12 views, 83% counted"."""
    views, inside = geometry.get("views", 1), geometry.get("inside", 1)
    told = [f"{views:,} views"] if views > 1 else []
    told += [f"{100 * inside:.3g}% counted"] if inside < 1 else []
    return "".join(f", {words}" for words in told)


def _pictures(card: Card, name: str) -> str:
    if not card.image or not card.heat:
        return '<p class="blank">no preview</p>'
    original, heat = escape(card.image, quote=True), escape(card.heat, quote=True)
    return (
        f'<button type="button" class="pictures" aria-label="Enlarge {name}">'
        f'<img src="{original}" alt="original" loading="lazy" decoding="async">'
        f'<img src="{heat}" alt="heat map" loading="lazy" decoding="async"></button>'
    )
