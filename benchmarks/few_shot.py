"""How well do lines from few good pictures decide? python benchmarks/few_shot.py DATA... [--shots 1,2,4,8,16,25] [...]

Runs `anomalyclip evaluate DATA --shots ...` on every data set, and on two that it makes of elpv-dataset's solar cells
(`pip install anomalyclip[demo]`: 125 functional and 125 surely defective cells of each type, drawn by a fixed seed),
and prints one table over all of them. Runs are kept below --output and resumed; what was seen of pictures too.
--most N takes N good pictures beside those that are drawn, and N bad ones, by a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results" / "few-shot"
CELLS = 125
METRICS = ("image_auroc", "recall_at_fpr", "false_alarm_rate", "pixel_auroc")
HEADS = "| set | shots | image AUROC | recall | false alarms | pixel AUROC |\n|---|---|---|---|---|---|"


def cells(folder: Path) -> Path:
    """A data set of links to cells, a class for each type."""
    package = find_spec("elpv_dataset")
    if package is None or not package.submodule_search_locations:
        sys.exit("the solar cells are missing; run: pip install 'anomalyclip[demo]', or give --no-cells")
    source = Path(package.submodule_search_locations[0]) / "data"
    rows = [line.split() for line in (source / "labels.csv").read_text().splitlines() if line.strip()]
    for kind, name, probability in (
        (k, *label) for k in ("mono", "poly") for label in (("good", 0.0), ("defect", 1.0))
    ):
        place = folder / "cells" / f"{kind}crystalline" / "test" / name
        place.mkdir(parents=True, exist_ok=True)
        files = [file for file, value, what in rows if what == kind and float(value) == probability]
        for file in random.Random(0).sample(files, CELLS):
            link = place / Path(file).name
            if not link.exists():
                link.symlink_to(source / file)
    return folder / "cells"


def limited(root: Path, folder: Path, good: int, bad: int) -> Path:
    """Links to at most so many pictures of each class of a data set in MVTec AD's layout, with their masks."""
    for tested in sorted(root.glob("*/test")):
        every = sorted(path for path in tested.glob("*/*") if path.is_file())
        groups = ([one for one in every if (one.parent.name == "good") is wanted] for wanted in (True, False))
        for group, most in zip(groups, (good, bad), strict=True):
            for file in random.Random(0).sample(group, min(most, len(group))):
                masks = tested.parent.glob(f"ground_truth/{file.parent.name}/{file.stem}*")
                for one in (file, *masks):
                    link = folder / root.name / one.relative_to(root)
                    link.parent.mkdir(parents=True, exist_ok=True)
                    if not link.exists():
                        link.symlink_to(one.resolve())
    return folder / root.name


def run(data: Path, output: Path, given: argparse.Namespace, more: list[str]) -> dict[str, Any]:
    """metrics.json of one data set, from an earlier run where it was finished."""
    told = output / "metrics.json"
    if not told.exists():
        command = [sys.executable, "-m", "anomalyclip", "evaluate", str(data), "--output", str(output), "--resume"]
        command += ["--shots", given.shots, "--draws", str(given.draws), "--fpr", str(given.fpr), "--no-plots", "-q"]
        command += ["--missing-masks", "image-only", "--cache-dir", str(given.output / "seen"), "--cache-dtype", "fp32"]
        ended = subprocess.run([*command, *more], check=False, stdout=subprocess.DEVNULL)
        if ended.returncode not in (0, 3):
            sys.exit(f"{data}: evaluate ended with {ended.returncode}")
    return dict(json.loads(told.read_text("utf-8")))


def lines_of(told: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """`class | shots` -> its row, in the table's order; the words alone are shots 0, of the largest that was drawn."""
    found: dict[str, dict[str, Any]] = {}
    shots = told["few_shot"]["shots"]
    for name in told["classes"]:
        rows = {number: each["classes"][name] for number, each in shots.items()}
        drawn = [number for number, row in rows.items() if row["image_auroc"] is not None]
        if drawn:
            found[f"{name} | 0"] = rows[drawn[-1]]["zero_shot"]
        found |= {f"{name} | {number}": rows[number] for number in drawn}
    return found


def cell(row: dict[str, Any], metric: str) -> str:
    """`.935`, and its spread over draws where there is one."""
    if row[metric] is None:
        return "–"
    spread = row.get("spread", {}).get(metric)
    return f"{row[metric]:.3f}" + (f" ± {spread:.3f}" if spread is not None else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="*", type=Path)
    parser.add_argument("--shots", default="25")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--fpr", type=float, default=0.05)
    parser.add_argument("--no-cells", action="store_true", help="without elpv-dataset")
    parser.add_argument("--most", type=int, help="pictures of each kind beside references (default: all)")
    parser.add_argument("--output", type=Path, default=RESULTS)
    given, more = parser.parse_known_args()
    roots = list(given.data)
    if not given.no_cells:
        roots.append(cells(given.output.absolute() / "data"))
    if given.most is not None:
        good = given.most + max(map(int, given.shots.split(",")))
        roots = [limited(root, given.output.absolute() / f"most-{given.most}", good, given.most) for root in roots]
    print(HEADS, flush=True)
    every: dict[str, list[dict[str, Any]]] = {}
    tag = "-".join([given.shots.replace(",", "_"), str(given.most), *(one.strip("-") for one in more)])
    for root in roots:
        for name, row in lines_of(run(root, given.output / tag / root.name, given, more)).items():
            print(f"| {name} | {' | '.join(cell(row, metric) for metric in METRICS)} |", flush=True)
            every.setdefault(name.rpartition("| ")[2], []).append(row)
    for shots, rows in every.items():
        means = []
        for metric in METRICS:
            values = [row[metric] for row in rows if row[metric] is not None]
            means.append(f"{sum(values) / len(values):.3f} ({len(values)})" if values else "–")
        print(f"| **mean** | {shots} | {' | '.join(means)} |", flush=True)


if __name__ == "__main__":
    main()
