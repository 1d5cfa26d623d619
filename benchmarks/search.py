"""Nearest rows beside `torch.cdist` with a minimum: python benchmarks/search.py [--rounds 15] [--json FILE]

One thread, CPU time, medians, all ways in turn in one run. The bank is what a line on pocket keeps of 25 renders of one
kind of part (4,800 rows of 208), the queries are the 400 patches of another; and, of such pictures two by two, the
nearest in each direction, which is what pictures that judge each other take: packed once, as they are for all their
partners, of which each turn meets eight, one after the other.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

from memory_cost import KIND, build, picture  # sets the threads of BLAS first

import numpy as np  # isort: skip
import torch

from anomalyclip.calibration.lining import FULL_PICTURES
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.index import Index
from anomalyclip.judges.memory.search import nearest
from anomalyclip.judges.memory.seeing import see
from anomalyclip.judges.memory.source import source_for
from anomalyclip.native.library import kernels
from anomalyclip.native.search import largest, packed
from anomalyclip.native.search_u8 import Turn, Whole, bank_codes, largest_values, query_codes

SHOTS, PARTNERS = 25, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    told = {
        "kernels": kernels("int8").suffix,
        "a memory": table(memory(), given.rounds, 1),
        "two pictures": table(pairs(), given.rounds, PARTNERS),
    }
    if given.json:
        given.json.write_text(json.dumps(told, indent=2) + "\n")


def described(number: int) -> np.ndarray:
    """The patches of a render as pocket's memory holds them, (400, 208)."""
    return see(MODEL.encoder, MODEL.judge, SOURCE, picture(MODEL, KIND, number))[0].described


def memory() -> dict[str, Callable[[], object]]:
    bank = make_bank([described(number) for number in range(SHOTS)], FULL_PICTURES * 400, SOURCE).rows
    queries, index = described(SHOTS), Index(bank, equal_norms=True)
    index.nearest(queries)  # the first search prepares nothing, the second does
    theirs = torch.from_numpy(queries), torch.from_numpy(bank)
    expected = torch.cdist(*theirs).min(1).values.numpy() ** 2
    assert np.abs(index.nearest(queries).squared[:, 0] - expected).max() < 1e-4
    return {
        "torch.cdist and min": lambda: torch.cdist(*theirs).min(1),
        "BLAS, block by block": lambda: nearest(queries, bank, equal_norms=True),
        "in 8 bits": lambda: index.nearest(queries),
    }


def pairs() -> dict[str, Callable[[], object]]:
    """One picture with each of its partners."""
    one, *others = (described(number) for number in range(PARTNERS + 1))
    turn, none = Turn(one.mean(axis=0)), np.zeros(len(one), np.float32)
    asked, columns = query_codes(one, turn), np.empty(len(one), np.float32)
    panels, banks = [packed(other) for other in others], [bank_codes(other, turn) for other in others]
    first, theirs = torch.from_numpy(one), [torch.from_numpy(other) for other in others]

    def by_cdist() -> None:
        for other in theirs:
            distances = torch.cdist(first, other)
            distances.min(1), distances.min(0)

    def by_blas() -> None:
        for other in others:
            products = one @ other.T
            products.max(1), products.max(0)

    def fused() -> None:
        for panel in panels:
            largest(one, panel, len(one), columns=columns)

    def fused_in_8_bits() -> None:
        for bank, other in zip(banks, others, strict=True):
            largest_values(asked, bank, Whole(one, other, none), both=True)

    return {
        "torch.cdist and both min": by_cdist,
        "BLAS and both max": by_blas,
        "fused": fused,
        "fused, in 8 bits": fused_in_8_bits,
    }


def table(ways: dict[str, Callable[[], object]], rounds: int, searches: int) -> dict[str, float]:
    """Milliseconds of CPU time of one search, of which a way makes so many at a time."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            start = time.process_time()
            way()
            spent[name].append(1000 * (time.process_time() - start) / searches)
    medians = {name: statistics.median(times) for name, times in spent.items()}
    first = next(iter(medians.values()))
    print("| way | CPU ms | x the first |\n|---|---:|---:|")
    for name, value in medians.items():
        print(f"| {name} | {value:.2f} | {first / value:.2f} |")
    return medians


MODEL = build("pocket")
SOURCE = source_for(MODEL.encoder.facts)

if __name__ == "__main__":
    main()
