"""One picture of `report.html`: a card, written once and unfolded by the page's script when it comes into view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from anomalyclip.detect.journal import Row
from anomalyclip.io.names import printable


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


def card_html(card: Card, unfolded: bool = False) -> str:
    """An article that holds its own inside as text. unfolded: it is there from the first, and without a script."""
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
    # The inside is text for the parser, so that thousands of pictures open at once; no name ends it, "<" is escaped.
    told = {"score": f"{score:.9g}", "decision": decision or "", "name": name, "regions": regions}
    before, after = ("", "") if unfolded else ('<script type="text/plain">', "</script>")
    later = "" if unfolded else ' class="later"'  # not laid out while the file is read
    return f"""<article{later} {" ".join(f'data-{key}="{value}"' for key, value in told.items())}>
{before}{_pictures(card, name)}
<h2>{name}</h2>
<p class="score"><b>{score:.3f}</b><span class="bar"><i style="width:{100 * score:.1f}%"></i></span>{badge}</p>
<p class="detail">{detail}{link}</p>{_pairs(card)}{problem}{after}
</article>
"""


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
