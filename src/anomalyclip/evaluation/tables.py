"""The numbers as tables: per class and mean, in percent as papers print them."""

from __future__ import annotations

import json
from collections.abc import Callable

from anomalyclip.evaluation.few_shot import tables as few_shot
from anomalyclip.evaluation.result import DECISIONS, METRICS, Evaluation
from anomalyclip.io.names import printable

#: metric -> what a table's head says
HEADS = dict(
    zip(
        METRICS,
        ("image AUROC", "image AP", "image F1-max", "pixel AUROC", "pixel AP", "pixel F1-max", "AUPRO"),
        strict=True,
    )
)
DECISION_HEADS = dict(zip(DECISIONS, ("recall", "false alarms"), strict=True))
MISSING = "–"
_UNSURE = 0.005  # half a point: from here on a table says how far its pixel metrics may be off
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "±": r"$\pm$",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "→": r"$\to$",
}  # fmt: skip


def percent(value: float | None, missing: str = MISSING) -> str:
    """One decimal, as the paper prints.

    >>> percent(0.91449), percent(None)
    ('91.4', '–')
    """
    return missing if value is None else f"{100 * value:.1f}"


def table_rows(result: Evaluation) -> list[list[str]]:
    """Head, one row per class, and the mean, which says over how many classes where some are missing."""
    decided = tuple(result.mean_decisions)
    body = [
        [
            printable(one.name),
            *(percent(one.values[name]) for name in METRICS),
            *(percent(one.decisions[name]) for name in decided),
        ]
        for one in result.classes
    ]
    total = len(result.classes)
    mean = [
        percent(value) + ("" if count in (0, total) else f" ({count} of {total})")
        for value, count in zip(result.mean.values(), result.mean_over.values(), strict=True)
    ]
    mean += [percent(value) for value in result.mean_decisions.values()]
    return [["class", *HEADS.values(), *(DECISION_HEADS[name] for name in decided)], *body, ["mean", *mean]]


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
    lines = [" | ".join(row) for row in (head, ["---", *["---:"] * (len(head) - 1)], *body)]
    notes = "".join(f"\n{note}\n" for note in footnotes(result))
    few = "" if result.few_shot is None else "\n" + few_shot.as_markdown(result.few_shot)
    return f"{caption(result)}; values in percent.\n\n" + "".join(f"| {line} |\n" for line in lines) + notes + few


def as_latex(result: Evaluation) -> str:
    """A `tabular` that needs the package booktabs; another of the few-shot rows, where there are any."""
    rows = table_rows(result)
    text = _tabular(rows[:1], rows[1:-1], rows[-1:], f"{caption(result)}; values in percent", footnotes(result))
    if result.few_shot is None:
        return text
    head, *body = few_shot.table_rows(result.few_shot)
    means = body[-1 - len(result.few_shot.shots) :]
    told, notes = few_shot.caption(result.few_shot), few_shot.footnotes(result.few_shot)
    return f"{text}\n{_tabular([head], body[: -len(means)], means, told, notes)}"


def _tabular(head: list[list[str]], body: list[list[str]], means: list[list[str]], told: str, notes: list[str]) -> str:
    parts = [[" & ".join(map(latex_text, row)) + r" \\" for row in rows] for rows in (head, body, means)]
    lines = [
        f"% {told}. Needs \\usepackage{{booktabs}}.",
        f"\\begin{{tabular}}{{l{'r' * (len(head[0]) - 1)}}}",
        "\\toprule", *parts[0], "\\midrule", *parts[1], "\\midrule", *parts[2],
        "\\bottomrule", "\\end{tabular}", *(f"% {note}" for note in notes),
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
