"""The whole performance table of one machine, written as one CSV from which the docs draw their numbers.

    python benchmarks/record.py                       # every part: half an hour and more on two busy cores
    python benchmarks/record.py --parts light,memory  # some of them; the others keep what the file says
    python benchmarks/record.py --docs                # only draw the docs' tables again from the files

Every part is a command that a user can type, run in a process of its own; what it measures is compared within that
one run. The file is `docs/performance/PROCESSOR.csv` with the columns part, row, figure, value; every part also holds
its command, the time, the versions and how busy the machine was (load). A part that fails leaves what was known and
ends with code 1.

Tables of the docs stand between `<!-- record: FILE PART -->` and `<!-- end -->`, single figures within a line between
`<!-- figure: FILE PART, ROW, FIGURE -->` and `<!-- / -->`; `tests/docs/test_record.py` checks.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "performance"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
COLUMNS = ("part", "row", "figure", "value")
ABOUT = "about"
"""The row that says how a part was measured; tables leave it out."""
PACKAGES = ("anomalyclip", "torch", "openvino", "onnxruntime", "numpy", "scikit-learn")
MODULES = {"scikit-learn": "sklearn"}
"""Where a package is imported by another name."""
Rows = dict[str, dict[str, Any]]
Record = dict[str, Rows]


@dataclass(frozen=True)
class Part:
    """One command and what is taken of its JSON.

    Attributes:
        command: after `python`; `OUT` is a file or folder that the command writes.
        file: the JSON in it, relative to `OUT`; "" where `OUT` is that file.
        rows: what stands in the table, from the JSON.
        forms: how a figure is written, by its name.
    """

    command: str
    file: str
    rows: Callable[[Any], Rows]
    forms: Mapping[str, str]


def speed_rows(found: Any) -> Rows:
    """One row per way of running, as `anomalyclip bench` has them."""
    from anomalyclip.bench.variants import VARIANTS

    return {
        VARIANTS[row["variant"]].label: {
            "ms": 1000 * row["median_s"],
            "CPU ms": 1000 * row["cpu_s"],
            "images/s": row["images_per_s"],
            "x reference": row["vs_reference"],
            "of the ceiling": row["ceiling_share"],
        }
        for row in found["speed"]
    }


def light_rows(found: Any) -> Rows:
    """The command of the light install."""
    told, runtimes = found["command"], found["runtimes"]
    return {
        "`detect -q` of one picture, from start to end, s": {"value": told["one_image_s"]},
        "pictures a second, no options": {"value": told["plain_images_per_s"]},
        "pictures a second, no options, once it runs": {"value": told["plain_steady_images_per_s"]},
        "pictures a second, with `--output`": {"value": told["files_images_per_s"]},
        "pictures a second, the encoder alone": {"value": next(iter(runtimes.values()))["images_per_s"]},
    }


def metric_rows(found: Any) -> Rows:
    """AUPRO by the authors' recipe and by ours."""
    return {
        row["way"]: {"s": row["seconds"], "x recipe": row["faster"], "AUPRO": row["value"], "MB more": row["extra_mb"]}
        for row in found["rows"]
    }


def memory_rows(found: Any) -> Rows:
    """What a line adds to a picture's pass."""
    return {
        row["model"]: {"pass, CPU ms": row["pass_ms"], "line, CPU ms": row["line_ms"], "share": row["share"]}
        for row in found["rows"]
    }


def mutual_rows(found: Any) -> Rows:
    """Ours and the restatement of the published form."""
    names = {"ours": "ours", "plain": "`torch.cdist`, all distances kept"}
    return {
        label: {"s": found[form]["seconds"], "MB": found[form]["megabytes"]}
        | {"x restatement": found["plain"]["seconds"] / found[form]["seconds"]}
        for form, label in names.items()
    }


def search_rows(found: Any) -> Rows:
    """A search beside `torch.cdist`, which is the first of each table."""
    tables = {name: found[name] for name in ("a memory", "two pictures")}
    return {
        f"{name}: {way}": {"CPU ms": value, "x the first": next(iter(ways.values())) / value}
        for name, ways in tables.items()
        for way, value in ways.items()
    }


def training_rows(found: Any) -> Rows:
    """Seconds per picture."""
    return {
        "encoder pass into the cache": {"ms a picture": 1000 * found["encode"]},
        "epoch with cached features": {"ms a picture": 1000 * found["cached"]},
        "epoch without": {"ms a picture": 1000 * found["streamed"]},
        "bare prompt step": {"ms a picture": 1000 * found["bare"]},
    }


SPEED = {"ms": ".1f", "CPU ms": ".1f", "images/s": ".2f", "x reference": ".2f", "of the ceiling": ".0%"}


def compared(options: str) -> Part:
    """Ways to run one model, as `anomalyclip bench` has them."""
    return Part(f"-m anomalyclip bench {options} --renders 0 --output OUT", "bench.json", speed_rows, SPEED)


PARTS: dict[str, Part] = {
    "pocket": compared("--variants reference,torch,native,onnx,openvino --rounds 7"),
    "vit-l": compared("--model random:vit-l-14-336 --variants reference,torch,native-int8 --rounds 2"),
    # Its graph takes minutes to make: one round, and one of the other runtimes.
    "vit-l-openvino": compared("--model random:vit-l-14-336 --variants reference,openvino,native-int8 --rounds 1"),
    "vit-b": compared("--model random:vit-b-16 --variants reference,torch,onnx,openvino,native-int8 --rounds 3"),
    "light": Part(
        "benchmarks/light.py --runtimes native,onnx --rounds 5 --output OUT", "", light_rows, {"value": ".3g"}
    ),
    "aupro": Part(
        "benchmarks/bench_metrics.py --images 10 --json OUT",
        "",
        metric_rows,
        {"s": ".2f", "x recipe": ".0f", "AUPRO": ".6f", "MB more": ".0f"},
    ),
    "memory": Part(
        "benchmarks/memory_cost.py pocket --json OUT",
        "",
        memory_rows,
        {"pass, CPU ms": ".1f", "line, CPU ms": ".1f", "share": ".1%"},
    ),
    "mutual": Part(
        "benchmarks/mutual.py ratio --json OUT", "", mutual_rows, {"s": ".2f", "MB": ".0f", "x restatement": ".1f"}
    ),
    "search": Part("benchmarks/search.py --json OUT", "", search_rows, {"CPU ms": ".2f", "x the first": ".2f"}),
    "training": Part(
        "benchmarks/bench_training.py --images 12 --output OUT", "training.json", training_rows, {"ms a picture": ".1f"}
    ),
}


def main() -> None:
    """Measure what is asked for, write after each part, draw the docs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=lambda text: text.split(","), default=list(PARTS))
    parser.add_argument("--file", type=Path, help="default: docs/performance/PROCESSOR.csv")
    parser.add_argument("--docs", action="store_true", help="measure nothing")
    given = parser.parse_args()
    if unknown := [name for name in given.parts if name not in PARTS]:
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
    failed = []
    if not given.docs:
        file = given.file or FOLDER / f"{slug(processor())}.csv"
        for name in given.parts:
            print(f"{name}: {PARTS[name].command}", flush=True)
            try:
                write(file, read(file) | {name: measure(name)})
            except (subprocess.CalledProcessError, OSError, KeyError, ValueError) as error:
                failed.append(name)
                print(f"{name} failed: {error}", file=sys.stderr, flush=True)
    for page in PAGES:
        text = page.read_text("utf-8")
        if (fresh := drawn(text)) != text:
            page.write_text(fresh, "utf-8")
            print(f"drawn: {page.relative_to(ROOT)}")
    sys.exit(1 if failed else 0)


def measure(name: str) -> Rows:
    """Run a part's command and read what it wrote."""
    part, load = PARTS[name], os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="anomalyclip-record-") as folder:
        out, start = Path(folder) / "out", time.perf_counter()
        line = [sys.executable, *part.command.replace("OUT", str(out)).split()]
        subprocess.run(line, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
        found = json.loads((out / part.file if part.file else out).read_text())
    return {
        ABOUT: {
            "command": f"python {part.command}",
            "time": datetime.now(timezone.utc).isoformat(timespec="seconds"),
            "processor": processor(),
            "cores": os.cpu_count(),
            "load before": f"{load:.1f}",
            "seconds": f"{time.perf_counter() - start:.0f}",
            **versions(),
        }
    } | part.rows(found)


def versions() -> dict[str, str]:
    """Of what the figures depend on, where it is installed."""
    return {name: version(name) for name in PACKAGES if find_spec(MODULES.get(name, name)) is not None}


def processor() -> str:
    """Its own name for itself."""
    from anomalyclip.bench.run import describe_machine

    return str(describe_machine()["processor"])


def slug(text: str) -> str:
    """For a file name: 'AMD EPYC 7B13' becomes 'amd-epyc-7b13'."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", text.lower())).strip("-")


def read(file: Path) -> Record:
    """What a file holds; {} where there is none yet."""
    record: Record = {}
    if file.exists():
        with file.open(encoding="utf-8", newline="") as stream:
            for line in csv.DictReader(stream):
                record.setdefault(line["part"], {}).setdefault(line["row"], {})[line["figure"]] = line["value"]
    return record


def write(file: Path, record: Record) -> None:
    """Parts in the order of `PARTS`; missing figures are left out."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="utf-8", newline="") as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(COLUMNS)
        for name in sorted(record, key=list(PARTS).index):
            for row, figures in record[name].items():
                table.writerows([name, row, figure, value] for figure, value in figures.items() if value is not None)


MARKED = re.compile(r"(<!-- record: (\S+) (\S+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
SINGLE = re.compile(r"(<!-- figure: (\S+) (\S+), ((?:(?!-->).)+), ([^\n,>]+) -->)([^\n]*?)(<!-- / -->)")


def drawn(text: str) -> str:
    """The page with every marked table and figure drawn from its file."""
    text = SINGLE.sub(lambda found: found[1] + figure(*found.groups()[1:5]) + found[7], text)
    return MARKED.sub(
        lambda found: found[1] + "\n".join(table(read(FOLDER / found[2]), found[3])) + "\n" + found[5], text
    )


def figure(file: str, part: str, row: str, name: str) -> str:
    """One of a recorded file, as its table writes it."""
    return format(float(read(FOLDER / file)[part][row][name]), PARTS[part].forms[name])


def table(record: Record, name: str) -> Iterator[str]:
    """The lines of one part's table, with what it says of itself below."""
    rows, forms = dict(record[name]), PARTS[name].forms
    about = rows.pop(ABOUT)
    shown = [figure for figure in forms if any(figure in figures for figures in rows.values())]
    yield f"\n| | {' | '.join(shown)} |"
    yield f"|---|{'---:|' * len(shown)}"
    for row, figures in rows.items():
        cells = [format(float(figures[one]), forms[one]) if one in figures else "" for one in shown]
        yield f"| {row} | {' | '.join(cells)} |"
    packages = ", ".join(f"{package} {about[package]}" for package in PACKAGES[1:] if package in about)
    machine = f"{about['processor']}, {about['cores']} cores, load {about['load before']} before it"
    yield f"\n{machine}, {about['time']}, {packages}:"
    yield f"`{about['command']}`\n"


if __name__ == "__main__":
    main()
