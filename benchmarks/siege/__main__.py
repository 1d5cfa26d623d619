"""Besiege the program: kills at random moments, mutated files, hostile uploads among healthy ones; this machine only.

    python benchmarks/siege --state siege.jsonl   # hours on two cores; it goes on where it was
    python benchmarks/siege --kills 8 --fuzz 40 --clients 20 --seconds 10 --budget-mb 0

Prints one table: how often what was done, and what was lost, double, dead or slow. Exits with 1 unless nothing was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from budget import fill
from clients import besiege
from fuzz import fuzz
from kills import VERBS, kill
from nodes import kill_nodes
from outcome import Outcome, Record, table
from seeds import FORMATS

_RAY = ("ray-driver", "ray-node")
_KILLS, _FILES = 5, 1000  # of one part
Part = tuple[str, Callable[[Path], Outcome]]


def main() -> int:
    given = _arguments()
    record = Record(given.state)
    ours = []
    for name, run in _parts(given):
        if name not in record.done:
            with tempfile.TemporaryDirectory(prefix="siege-") as scratch:
                outcome = run(Path(scratch))
            record.add(name, outcome)
            print(outcome.line(), flush=True)
        ours.append(record.done[name])
    print(table(ours))
    return int(any(not outcome.good for outcome in ours))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = (*VERBS, *_RAY)
    parser.add_argument("--kills", type=int, default=104, help="in all, the same number of each verb")
    parser.add_argument("--verbs", default=",".join(verbs), help="of " + ", ".join(verbs))
    parser.add_argument("--fuzz", type=int, default=10_000, help="mutated files of each format")
    parser.add_argument("--formats", default=",".join(FORMATS), help="of " + ", ".join(FORMATS))
    parser.add_argument("--clients", type=int, default=200, help="at once, a quarter of them hostile")
    parser.add_argument("--seconds", type=float, default=60.0, help="that the server is besieged")
    parser.add_argument("--memory-mb", type=int, default=4096, help="that the besieged server may take")
    parser.add_argument("--budget-mb", type=int, default=4096, help="of a server that is filled with legal pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--state", type=Path, help="a file that remembers the parts that are done")
    return parser.parse_args()


def _parts(given: argparse.Namespace) -> Iterator[Part]:
    verbs = [verb for verb in given.verbs.split(",") if verb]
    for verb in verbs if given.kills else []:
        for first, count in _cut(max(1, given.kills // len(verbs)), _KILLS):
            run = partial(kill_nodes if verb in _RAY else kill, verb, count, seed=f"{given.seed} {first}")
            yield f"kill {verb} {given.seed} {first} {count}", run
    if given.clients:
        besieged = partial(besiege, given.clients, given.seconds, given.memory_mb)
        yield f"clients {given.clients} {given.seconds} {given.memory_mb}", besieged
    if given.budget_mb:
        yield f"budget {given.budget_mb}", partial(fill, given.budget_mb)
    for first, count in _cut(given.fuzz, _FILES):
        for name in filter(None, given.formats.split(",")):
            yield f"fuzz {name} {given.seed} {first} {count}", partial(fuzz, name, first, count, given.seed)


def _cut(whole: int, most: int) -> list[tuple[int, int]]:
    """(first, count) of the parts of `whole`."""
    return [(first, min(most, whole - first)) for first in range(0, whole, most)]


if __name__ == "__main__":
    sys.exit(main())
