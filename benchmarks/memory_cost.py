"""What a memory costs: python benchmarks/memory_cost.py [pocket | vit-l-14-336 ...] [--shots 25] [--rounds 9]

One process, one thread, CPU time: a picture's pass through the encoder and the words, and beside it what the line
adds (describing patches, searching the memory, statistics, map), taken in turn, medians. The good pictures are
renders of one kind of part, those that are judged, too, every third damaged: how long a search takes depends on what
it finds. But for pocket the weights are random. Memories are full: what 12 pictures' patches take.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")  # before NumPy

import numpy as np
from PIL import Image

from anomalyclip.calibration.lining import FULL_PICTURES
from anomalyclip.calibration.mixing import AUTO
from anomalyclip.data.synthetic import render
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.fusion import STATISTICS, Scale
from anomalyclip.judges.memory.line import Line
from anomalyclip.judges.memory.seeing import see
from anomalyclip.judges.memory.source import source_for

if TYPE_CHECKING:
    from anomalyclip.detector import Detector


KIND = "washer"


def build(name: str) -> Detector:
    """pocket as it is installed, or an architecture with seeded random weights."""
    import anomalyclip

    if name == "pocket":
        return anomalyclip.load("pocket", threads=1)
    from anomalyclip.bench.models import random_model

    return random_model(name)


def picture(model: Detector, kind: str, seed: int, damaged: bool = False) -> np.ndarray:
    """A render as the model takes it, (1, 3, S, S)."""
    made = render(seed, model.settings.image_size, anomalous=damaged, families=[kind])
    return model.preprocess(Image.fromarray(made.image))[None]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["pocket"])
    parser.add_argument("--shots", type=int, default=25)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    rows = []
    print("| model | pass, CPU ms | the line adds, CPU ms | share | memory, MB | peak of the process, MB |")
    print("|---|---|---|---|---|---|")
    for name in given.models:
        rows.append(measured(name, given.shots, given.rounds))
        told = rows[-1]
        print(
            f"| {name} | {told['pass_ms']:.1f} | {told['line_ms']:.1f} | {told['share']:.1%} | {told['memory_mb']:.1f} "
            f"| {told['peak_mb']:.0f} |",
            flush=True,
        )
    if given.json:
        given.json.write_text(json.dumps({"shots": given.shots, "rounds": given.rounds, "rows": rows}, indent=2) + "\n")


def measured(name: str, shots: int, rounds: int) -> dict[str, object]:
    """One model's row."""
    model = build(name)
    side = model.settings.image_size
    source = source_for(model.encoder.facts)
    pixels = [picture(model, KIND, shots + number, damaged=number % 3 == 0) for number in range(rounds + 2)]
    request = model.judge.needs(model.encoder) | source.request
    seen = [see(model.encoder, model.judge, source, picture(model, KIND, number))[0] for number in range(shots)]
    first = seen[0]
    bank = make_bank([one.described for one in seen], FULL_PICTURES * len(first.described), source)
    scale, count = Scale(0.0, 1.0), len(STATISTICS)
    line = Line(source, bank, AUTO, np.zeros(count), np.ones(count), scale, scale, model.settings.sigma)
    passes, lines = [], []  # of which the first two make what later ones find
    for one in pixels:
        start = time.process_time()
        model.predict(one)
        passes.append(time.process_time() - start)
        features = model.encoder.run(one, request).numpy()
        start = time.process_time()
        view = replace(first, described=source.describe(features)[0])
        line.compare(view)
        lines.append(time.process_time() - start)
    passed, added = (1000 * statistics.median(times[2:]) for times in (passes, lines))
    return {
        "model": name,
        "image_size": side,
        "pass_ms": passed,
        "line_ms": added,
        "share": added / passed,
        "memory_mb": bank.rows.nbytes / 2e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


if __name__ == "__main__":
    main()
