"""The report's chart of image scores over their log odds, with the threshold and the slider that moves it."""

from __future__ import annotations

from anomalyclip.detect.log_odds import TICKS, position_of, score_at
from anomalyclip.detect.summary import BINS, Summary

WIDTH = 500


def chart(summary: Summary, threshold: float | None) -> str:
    """A figure; the slider does nothing without a script, and is hidden then."""
    said = "" if threshold is None else f", threshold {threshold:g}"
    at = 0.5 if threshold is None else position_of(threshold)
    return f"""<figure class="histogram">
<figcaption>Image scores, even steps of log odds<span id="said-threshold">{said}</span></figcaption>
{_histogram(summary, threshold)}
<label class="cut" hidden>Try a threshold <input id="cut" type="range" min="0" max="1" step="0.002" value="{at:.4f}">
<output id="counts" for="cut"></output> <button type="button" id="back" hidden>as decided</button></label>
</figure>"""


def _histogram(summary: Summary, threshold: float | None) -> str:
    """Inline SVG, WIDTH x 120 units: one bar per bin, the threshold as a dashed line."""
    highest = max(summary.histogram) or 1
    width = WIDTH / BINS
    bars = []
    for i, n in enumerate(summary.histogram):
        if n:
            height = max(2.0, 100 * n / highest)
            side = "above" if threshold is not None and (i + 0.5) / BINS >= position_of(threshold) else "below"
            label = f"{score_at(i / BINS):.2g} to {score_at((i + 1) / BINS):.2g}: {n:,}"
            bars.append(
                f'<rect class="{side}" data-n="{n}" x="{i * width + 0.5:.1f}" y="{100 - height:.1f}" '
                f'width="{width - 1:.1f}" height="{height:.1f}"><title>{label}</title></rect>'
            )
    ticks = "".join(
        f'<text x="{WIDTH * position_of(tick):.4g}" y="116" text-anchor="middle">{tick:g}</text>' for tick in TICKS
    )
    at = None if threshold is None else f"{WIDTH * position_of(threshold):.6g}"
    line = "" if at is None else f'<line x1="{at}" x2="{at}" y1="0" y2="100"/>'
    return (
        f'<svg viewBox="0 0 {WIDTH} 120" role="img" aria-label="Histogram of {summary.scored:,} image scores">'
        f'{"".join(bars)}<path d="M0 100.5H500"/>{line}{ticks}</svg>'
    )
