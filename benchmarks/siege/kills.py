"""kill -9 at random moments, then the same command again until it ends: every input once, nothing half-written."""

from __future__ import annotations

import contextlib
import csv
import json
import math
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from outcome import Outcome
from PIL import Image

import anomalyclip

IMAGES = 24
_RUNS = 200  # of one part, at most
_PATIENCE = 600.0  # seconds for a run that nobody kills
_ROUNDING = 1e-5  # of scores and figures between 0 and 1, in single precision
_MARK = "ANOMALYCLIP_SIEGE"
ENVIRONMENT = {
    **os.environ,
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "PYTHONPATH": str(Path(anomalyclip.__file__).parents[1]),
    _MARK: secrets.token_hex(8),
}
SMALL = ("--image-size", "96", "--offline")


@dataclass(frozen=True)
class Verb:
    """words: of the command, given the folder of data and the output. again: added to go on. check: fills an outcome
    from the output. codes: of a good end. same: compares with the output of a run that nobody killed."""

    words: Callable[[Path, Path], tuple[object, ...]]
    check: Callable[[Path, Path, Outcome], None]
    again: tuple[str, ...] = ()
    codes: tuple[int, ...] = (0,)
    same: Callable[[Path, Path, Outcome], None] = lambda first, out, outcome: None

    def command(self, data: Path, out: Path, *, again: bool = False) -> tuple[object, ...]:
        return (*self.words(data, out), *(self.again if again and out.exists() else ()))


def kill(verb: str, kills: int, scratch: Path, *, seed: str) -> Outcome:
    """Kill the verb so often while it works, let it end, and look at what is there. scratch: a folder of its own.

    A run that ends before its kill is looked at, and the next one begins in a folder of its own.
    """
    chosen, rng, outcome = VERBS[verb], random.Random(f"{verb} {seed}"), Outcome(f"kill -9 {verb}")
    data, number, killed = scratch / "data", 0, False
    make(data)
    whole = _timed(chosen, data, scratch / "first", outcome)
    while outcome.times < kills and number < _RUNS:
        out = scratch / f"out{number}"
        process = started(chosen.command(data, out, again=killed))
        try:
            process.wait(rng.uniform(0.1, 1.0) * whole)
        except subprocess.TimeoutExpired:
            process.kill()
        killed = process.wait() == -signal.SIGKILL
        outcome.times += killed
        if not killed:
            _look(chosen, data, out, scratch / "first", process.returncode, outcome)
            number += 1
    if killed:
        process = started(chosen.command(data, out, again=True))
        _look(chosen, data, out, scratch / "first", process.wait(_PATIENCE), outcome)
    time.sleep(1.0)
    for one in left_running():
        outcome.note(f"still running: {one}")
    outcome.most = {"unharmed, s": whole}
    return outcome


def _look(verb: Verb, data: Path, out: Path, first: Path, code: int, outcome: Outcome) -> None:
    """At what a run that nobody killed has left. first: what one that never was gave."""
    if code not in verb.codes:
        outcome.dead += 1
        outcome.note(f"a run ended with {code}")
    verb.check(data, out, outcome)
    verb.same(first, out, outcome)
    left = [path.name for path in (out.parent.glob(f".{out.name}*.tmp") if not out.is_dir() else out.rglob(".*.tmp"))]
    if left:
        outcome.note(f"left behind: {left[0]}")


def _timed(verb: Verb, data: Path, out: Path, outcome: Outcome) -> float:
    start, process = time.monotonic(), started(verb.command(data, out))
    try:
        code = process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    if code not in verb.codes:
        outcome.note(f"unharmed, it ends with {code}")
    return time.monotonic() - start


def started(words: Sequence[object], environment: Mapping[str, str] = ENVIRONMENT) -> subprocess.Popen[bytes]:
    null = subprocess.DEVNULL
    command = [sys.executable, "-m", "anomalyclip", *map(str, words)]
    return subprocess.Popen(command, env=environment, stdin=null, stdout=null, stderr=null)


def left_running() -> list[str]:
    """Processes of this siege: by the mark that they inherit."""
    found = []
    for process in psutil.process_iter(["pid", "cmdline"]):
        with contextlib.suppress(psutil.Error):
            if process.pid != os.getpid() and process.environ().get(_MARK) == ENVIRONMENT[_MARK]:
                found.append(" ".join(process.info["cmdline"])[:100])
    return found


def make(root: Path) -> None:
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
    rows = read_rows(out)
    found = Counter(Path(row["path"]).name for row in rows)
    outcome.lost += len(inputs - found.keys())
    outcome.double += sum(count > 1 for count in found.values())
    for row in rows:
        if row["error"] is not None:
            outcome.note(f"error row: {row['error']}")
    with (out / "results.csv").open(newline="", encoding="utf-8") as file:
        if [row["path"] for row in csv.DictReader(file)] != [row["path"] for row in rows]:
            outcome.note("results.csv is another list than results.jsonl")


def read_rows(out: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (out / "results.jsonl").read_text("utf-8").splitlines()]
    except (OSError, ValueError):
        return []


def _same_scores(first: Path, out: Path, outcome: Outcome) -> None:
    scores = [{row["path"]: row["score"] for row in read_rows(folder)} for folder in (first, out)]
    if not _alike(*scores):
        outcome.note("other scores than in a run that nobody killed")


def _same_figures(path: Callable[[Path], Path]) -> Callable[[Path, Path, Outcome], None]:
    """The JSON of both, but for when it was made and what it calls its files."""

    def same(first: Path, out: Path, outcome: Outcome) -> None:
        try:
            told = [_bare(json.loads(path(folder).read_bytes())) for folder in (first, out)]
        except (OSError, ValueError) as error:
            outcome.lost += 1
            outcome.note(str(error))
            return
        if not _alike(*told):
            outcome.note(f"{path(out).name} is another than that of a run that nobody killed")

    return same


def _alike(first: Any, other: Any) -> bool:
    """Equal but for rounding: a run that goes on cuts its batches elsewhere, and sums of floats depend on the batch."""
    if isinstance(first, float) and isinstance(other, float):
        return math.isclose(first, other, rel_tol=_ROUNDING, abs_tol=_ROUNDING)
    if isinstance(first, dict) and isinstance(other, dict):
        return first.keys() == other.keys() and all(_alike(value, other[key]) for key, value in first.items())
    if isinstance(first, list) and isinstance(other, list):
        return len(first) == len(other) and all(map(_alike, first, other))
    return bool(first == other)


def _bare(told: Any) -> Any:
    if isinstance(told, dict):
        # The self-test ends by the clock: a busy machine paints fewer faults.
        return {key: _bare(value) for key, value in told.items() if key not in ("made", "file", "self_test")}
    return [_bare(value) for value in told] if isinstance(told, list) else told


def _nothing(data: Path, out: Path, outcome: Outcome) -> None:
    """`same` says it all."""


def _detects(data: Path, out: Path, outcome: Outcome) -> None:
    """What was trained or exported is whole: it can be used."""
    exported = (out / "anomalyclip.json").exists()  # whose size is its own
    model = ("--model", out, "--offline") if exported else ("--prompts", out, *SMALL)
    picture = next((data / "part/test/good").iterdir())
    words = (sys.executable, "-m", "anomalyclip", "detect", picture, *model, "-q")
    done = subprocess.run([*map(str, words)], env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        outcome.lost += 1
        outcome.note(done.stderr.strip()[-150:])


def _profile(out: Path) -> Path:
    return out.with_suffix(".json")


VERBS = {
    "detect": Verb(
        lambda data, out: ("detect", data / "part/test/good", "-o", out, *SMALL, "--threshold", "0.5", "-q"),
        _rows,
        again=("--resume",),
        same=_same_scores,
    ),
    "watch": Verb(
        lambda data, out: ("watch", data / "part/test/good", "-o", out, *SMALL, "--once", "--settle", "0", "-q"),
        _rows,
        same=_same_scores,
    ),
    "calibrate": Verb(
        lambda data, out: ("calibrate", data / "part/test/good", "-o", _profile(out), *SMALL, "--fpr", "0.1",
                           "--no-plot", "--overwrite"),
        _nothing,
        same=_same_figures(_profile),
    ),
    "evaluate": Verb(
        lambda data, out: ("evaluate", data, "-o", out, *SMALL, "--no-plots", "-q"),
        _nothing,
        again=("--resume",),
        codes=(0, 2),  # 2: it had ended before the kill
        same=_same_figures(lambda out: out / "metrics.json"),
    ),
    "train": Verb(
        lambda data, out: ("train", f"part={data}", "-o", out, *SMALL, "--epochs", "2", "-q"),
        _detects,
    ),
    "export": Verb(
        lambda data, out: ("export", "pocket", "--format", "openvino", "--image-size", "96", "-o", out, "--overwrite"),
        _detects,
    ),
}  # fmt: skip
