"""kill -9 at random moments, then the same command again until it ends: every input once, nothing half-written."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from outcome import Outcome
from PIL import Image

IMAGES = 24
_PATIENCE = 600.0  # seconds for a run that nobody kills
_ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_SMALL = ("--image-size", "96", "--offline")


@dataclass(frozen=True)
class Verb:
    """words: of the command, given the folder of data and the output. again: added to go on. check: fills an outcome
    from the output. codes: of a good end."""

    words: Callable[[Path, Path], tuple[object, ...]]
    check: Callable[[Path, Path, Outcome], None]
    again: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)


def kill(verb: str, kills: int, scratch: Path, seed: int) -> Outcome:
    """Kill the verb so often, let it end, and look at what is there. scratch: a folder of its own."""
    chosen, rng, outcome = VERBS[verb], random.Random(f"{verb} {seed}"), Outcome(f"kill -9 {verb}", kills)
    data, out = scratch / "data", scratch / "out"
    _make(data)
    whole = _timed(chosen, data, scratch / "first", outcome)
    for number in range(kills):
        process = _started(chosen, data, out, again=number > 0)
        try:
            process.wait(rng.uniform(0.1, 1.0) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
        code = process.wait()
        if code not in (*chosen.codes, -signal.SIGKILL):
            outcome.problems.append(f"ended with {code} after a kill")
    last = _started(chosen, data, out, again=kills > 0)
    if last.wait(_PATIENCE) not in chosen.codes:
        outcome.dead += 1
        outcome.problems.append(f"the last run ended with {last.returncode}")
    chosen.check(data, out, outcome)
    left = (
        [path.name for path in out.parent.rglob(".*.tmp")] if out.is_file() else [p.name for p in out.rglob(".*.tmp")]
    )
    outcome.problems += [f"left behind: {name}" for name in left[:1]]
    outcome.more = f"{whole:.1f} s unharmed"
    return outcome


def _timed(verb: Verb, data: Path, out: Path, outcome: Outcome) -> float:
    start = time.monotonic()
    if (code := _started(verb, data, out, again=False).wait(_PATIENCE)) not in verb.codes:
        outcome.problems.append(f"unharmed, it ends with {code}")
    return time.monotonic() - start


def _started(verb: Verb, data: Path, out: Path, *, again: bool) -> subprocess.Popen[bytes]:
    more = verb.again if again and out.exists() else ()
    words = [sys.executable, "-m", "anomalyclip", *map(str, (*verb.words(data, out), *more))]
    null = subprocess.DEVNULL
    return subprocess.Popen(words, env=_ENVIRONMENT, stdin=null, stdout=null, stderr=null)


def _make(root: Path) -> None:
    """A small data set in MVTec AD's layout: noise, with squares as defects."""
    rng = np.random.default_rng(0)
    for place, count in (("train/good", 2), ("test/good", IMAGES), ("test/bad", 6), ("ground_truth/bad", 6)):
        folder = root / "part" / place
        folder.mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(90, 160, (64 + number, 80, 3), dtype=np.uint8)
            name = f"{number:03d}.png"
            if place.endswith("/bad"):
                pixels[20:40, 30:50] = 255
            if place.startswith("ground_truth"):
                pixels = np.where(pixels == 255, 255, 0).astype(np.uint8)[..., 0]
                name = f"{number:03d}_mask.png"
            Image.fromarray(pixels).save(folder / name)


def _rows(data: Path, out: Path, outcome: Outcome) -> None:
    inputs = {path.name for path in (data / "part/test/good").iterdir()}
    rows = [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    found = Counter(Path(row["path"]).name for row in rows)
    outcome.lost, outcome.double = len(inputs - found.keys()), sum(count > 1 for count in found.values())
    outcome.problems += [f"error row: {row['error']}" for row in rows if row["error"] is not None][:1]
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        if [row["path"] for row in csv.DictReader(file)] != [row["path"] for row in rows]:
            outcome.problems.append("results.csv is another list than results.jsonl")


def _whole_json(name: str) -> Callable[[Path, Path, Outcome], None]:
    def check(data: Path, out: Path, outcome: Outcome) -> None:
        path = out / name if name else out
        try:
            content: Any = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            outcome.lost += 1
            outcome.problems.append(str(error))
            return
        if not content:
            outcome.problems.append(f"{path.name} is empty")

    return check


def _detects(data: Path, out: Path, outcome: Outcome) -> None:
    """What was trained or exported is whole: it can be used."""
    model = ("--model", out) if (out / "anomalyclip.json").exists() else ("--prompts", out)
    picture = next((data / "part/test/good").iterdir())
    words = (sys.executable, "-m", "anomalyclip", "detect", picture, *model, *_SMALL, "-q")
    done = subprocess.run([*map(str, words)], env=_ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        outcome.lost += 1
        outcome.problems.append(done.stderr.strip()[-150:])


VERBS = {
    "detect": Verb(
        lambda data, out: ("detect", data / "part/test/good", "-o", out, *_SMALL, "--threshold", "0.5", "-q"),
        _rows,
        again=("--resume",),
    ),
    "watch": Verb(
        lambda data, out: ("watch", data / "part/test/good", "-o", out, *_SMALL, "--once", "--settle", "0", "-q"),
        _rows,
    ),
    "calibrate": Verb(
        lambda data, out: ("calibrate", data / "part/test/good", "-o", out.with_suffix(".json"), *_SMALL, "--fpr",
                           "0.1", "--no-memory", "--no-plot", "--overwrite"),
        lambda data, out, outcome: _whole_json("")(data, out.with_suffix(".json"), outcome),
    ),
    "evaluate": Verb(
        lambda data, out: ("evaluate", data, "-o", out, *_SMALL, "--no-plots", "-q"),
        _whole_json("metrics.json"),
        again=("--resume",),
        codes=(0, 2),  # 2: it had ended before the kill
    ),
    "train": Verb(
        lambda data, out: ("train", f"part={data}", "-o", out, *_SMALL, "--epochs", "2", "-q"),
        _detects,
    ),
    "export": Verb(
        lambda data, out: ("export", "pocket", "--format", "openvino", "--image-size", "96", "-o", out, "--overwrite"),
        _detects,
    ),
    "ray": Verb(
        lambda data, out: ("detect", data / "part/test/good", "-o", out, *_SMALL, "--engine", "ray", "--block-size",
                           "6", "-q"),
        lambda data, out, outcome: _whole_json("run.json")(data, out, outcome),
        again=("--resume",),
    ),
}  # fmt: skip
