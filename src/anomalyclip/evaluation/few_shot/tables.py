"""The numbers of few-shot draws as a table: the words alone, then a row per number of good pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.evaluation.few_shot.result import METRICS
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.evaluation.few_shot.result import FewShot, Row, Values

MISSING = "–"
FEW_JUDGED = 10


def heads(result: FewShot) -> list[str]:
    """Of the columns."""
    rate = 100 * float(result.settings["fpr"])
    return ["class", "shots", "image AUROC", "pixel AUROC", "AUPRO", f"recall at {rate:g}%", "false alarms"]


def table_rows(result: FewShot) -> list[list[str]]:
    """Head, and for each class and the mean: the words alone (shots 0), then every number of shots."""
    rows = [heads(result)]
    for name in (*result.classes, None):
        each = {shots: result.mean_row(shots) if name is None else result.row(name, shots) for shots in result.shots}
        words = _zero_shot(each)
        rows.append(
            ["mean" if name is None else printable(name), "0", *(_cell(words[metric], None) for metric in METRICS)]
        )
        for shots, row in each.items():
            label = _mean_label(result, shots) if name is None else printable(name)
            rows.append([label, str(shots), *(_cell(row.mean[metric], row.spread[metric]) for metric in METRICS)])
    return rows


def caption(result: FewShot) -> str:
    """What the table shows."""
    told = result.settings
    draws = int(told["draws"])
    return (
        f"Lines drawn from few good pictures ({result.method}): mean ± standard deviation of {draws} "
        f"draw{'s' * (draws != 1)}, in percent; shots 0 is the words alone, on the pictures of the largest number of "
        "shots and with a threshold from the same good pictures"
    )


def footnotes(result: FewShot) -> list[str]:
    """Where references come from, and why numbers are missing."""
    splits: dict[str, list[str]] = {}
    for name, split in result.pools.items():
        splits.setdefault(split, []).append(printable(name))
    notes = [
        f"References of {_listed(names)} are good pictures of the {split} split"
        + (", which are then not judged." if split != "train" else ".")
        for split, names in splits.items()
    ]
    reasons: dict[tuple[str, int], list[str]] = {}
    for name in result.classes:
        for shots in result.shots:
            why = result.undefined(name, shots)
            for reason in dict.fromkeys(why.values()):
                reasons.setdefault((reason, shots), []).append(printable(name))
    notes += [
        f"{shots} {'shot' if shots == 1 else 'shots'} of {_listed(names)}: {why}."
        for (why, shots), names in reasons.items()
    ]
    few = {one.class_name for one in result.draws if 0 < one.normal < FEW_JUDGED}
    if few:
        notes.append(
            f"Fewer than {FEW_JUDGED} good pictures of {_listed(sorted(map(printable, few)))} are judged: false alarms "
            "and AUROC say little there."
        )
    return notes


def as_markdown(result: FewShot) -> str:
    """A GitHub table with caption and footnotes."""
    head, *body = [[cell.replace("|", "\\|") for cell in row] for row in table_rows(result)]
    lines = [" | ".join(row) for row in (head, ["---", *["---:"] * (len(head) - 1)], *body)]
    notes = "".join(f"\n{note}\n" for note in footnotes(result))
    return f"{caption(result)}.\n\n" + "".join(f"| {line} |\n" for line in lines) + notes


def _mean_label(result: FewShot, shots: int) -> str:
    """Says over how many classes where some could not be drawn."""
    drawn = sum(any(value is not None for value in result.row(name, shots).mean.values()) for name in result.classes)
    return "mean" if drawn in (0, len(result.classes)) else f"mean ({drawn} of {len(result.classes)})"


def _zero_shot(each: dict[int, Row]) -> Values:
    """The words on the pictures of the largest number of shots that has any."""
    found = [row.zero_shot for _, row in sorted(each.items()) if any(row.zero_shot.values())]
    return found[-1] if found else dict.fromkeys(METRICS)


def _cell(value: float | None, spread: float | None) -> str:
    if value is None:
        return MISSING
    return f"{100 * value:.1f}" if spread is None else f"{100 * value:.1f} ± {100 * spread:.1f}"


def _listed(names: list[str]) -> str:
    shown = names[:6]
    return ", ".join(shown) + (f" and {len(names) - len(shown)} more" if len(names) > len(shown) else "")
