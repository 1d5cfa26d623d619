"""The numbers as tables: per class and mean, in percent as papers print them."""

from __future__ import annotations

import json
from collections.abc import Callable

from anomalyclip.evaluation.result import METRICS, Evaluation
from anomalyclip.io.names import printable

#: metric -> what a table's head says
HEADS = dict(
    zip(
        METRICS,
        ("image AUROC", "image AP", "image F1-max", "pixel AUROC", "pixel AP", "pixel F1-max", "AUPRO"),
        strict=True,
    )
)
MISSING = "–"
_UNSURE = 0.005  # half a point: from here on a table says how far its pixel metrics may be off
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def percent(value: float | None, missing: str = MISSING) -> str:
    """One decimal, as the paper prints.

    >>> percent(0.91449), percent(None)
    ('91.4', '–')
    """
    return missing if value is None else f"{100 * value:.1f}"


def table_rows(result: Evaluation) -> list[list[str]]:
    """Head, one row per class, and the mean, which says over how many classes where some are missing."""
    body = [[printable(one.name), *(percent(one.values[name]) for name in METRICS)] for one in result.classes]
    total = len(result.classes)
    mean = [
        percent(value) + ("" if count in (0, total) else f" ({count} of {total})")
        for value, count in zip(result.mean.values(), result.mean_over.values(), strict=True)
    ]
    return [["class", *HEADS.values()], *body, ["mean", *mean]]


def footnotes(result: Evaluation) -> list[str]:
    """Why numbers are missing, and how many images were left out; one line each, classes of one reason together."""
    by_reason: dict[tuple[str, str], list[str]] = {}
    for one in result.classes:
        for level in ("image", "pixel"):
            reasons = {why for name, why in one.undefined.items() if (name.startswith("image")) == (level == "image")}
            for why in sorted(reasons):
                by_reason.setdefault((level, why), []).append(printable(one.name))
    notes = [f"No {level} metrics for {', '.join(names)}: {why}." for (level, why), names in by_reason.items()]
    if unsure := [one.name for one in result.classes if max(one.error_bounds.values(), default=0) > _UNSURE]:
        worst = max(max(one.error_bounds.values(), default=0) for one in result.classes)
        names = ", ".join(map(printable, unsure))
        notes.append(
            f"Pixel metrics of {names} may be off by up to {100 * worst:.2g} points: most of their pixels share a few "
            "steps of the histogram (error_bounds in metrics.json); --exact-pixels keeps every pixel."
        )
    count = len(result.problems)
    if count:
        what = f"{count} image{'s' * (count != 1)}"
        notes.append(f"{what} left out, wholly or in part, or with a doubtful mask; see problems in metrics.json.")
    return notes


def caption(result: Evaluation) -> str:
    """What was judged by what."""
    data, model = result.dataset, result.model
    size = model.get("settings", {}).get("image_size")
    one = f"{model.get('model')} with prompts {model.get('prompts')}, {size} px"
    judged_by = "one model per class" if "classes" in model else one
    return printable(f"{data['name']} ({data['split']}, {data['images']:,} images) judged by {judged_by}")


def as_markdown(result: Evaluation) -> str:
    """A GitHub table with caption and footnotes."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in table_rows(result)]
    body[-1] = [f"**{cell}**" for cell in body[-1]]
    lines = [" | ".join(row) for row in (head, ["---", *["---:"] * len(METRICS)], *body)]
    notes = "".join(f"\n{note}\n" for note in footnotes(result))
    return f"{caption(result)}; values in percent.\n\n" + "".join(f"| {line} |\n" for line in lines) + notes


def as_latex(result: Evaluation) -> str:
    """A `tabular` that needs the package booktabs."""
    head, *body, mean = [[latex_text(cell) for cell in row] for row in table_rows(result)]
    lines = [
        f"% {caption(result)}; values in percent. Needs \\usepackage{{booktabs}}.",
        f"\\begin{{tabular}}{{l{'r' * len(METRICS)}}}",
        "\\toprule", " & ".join(head) + r" \\",
        "\\midrule", *(" & ".join(row) + r" \\" for row in body),
        "\\midrule", " & ".join(mean) + r" \\",
        "\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in footnotes(result)),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def as_json(result: Evaluation) -> str:
    """What metrics.json holds."""
    return json.dumps(result.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def latex_text(text: str) -> str:
    """A text with everything escaped that LaTeX would take for a command."""
    return "".join(_LATEX.get(letter, letter) for letter in text.replace(MISSING, "--"))


#: format -> how the whole result is written in it
RENDERERS: dict[str, Callable[[Evaluation], str]] = {
    "markdown": as_markdown,
    "latex": as_latex,
    "json": as_json,
}
