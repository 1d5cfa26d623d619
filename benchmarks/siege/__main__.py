"""Besiege the program: kills at random moments, mutated files, hostile uploads among healthy ones; this machine only.

    python benchmarks/siege                                  # about an hour on two cores
    python benchmarks/siege --kills 1 --fuzz 40 --clients 20 --seconds 10   # minutes: what CI has time for

Prints one table: how often what was done, and what was lost, double, dead or slow. Exits with 1 unless nothing was.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from clients import besiege
from fuzz import FORMATS, fuzz
from kills import VERBS, kill
from outcome import Outcome, table


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=100 // len(VERBS), help="of each verb")
    parser.add_argument("--verbs", default=",".join(VERBS), help="of " + ", ".join(VERBS))
    parser.add_argument("--fuzz", type=int, default=10_000, help="mutated files of each format")
    parser.add_argument("--formats", default=",".join(FORMATS), help="of " + ", ".join(FORMATS))
    parser.add_argument("--clients", type=int, default=200, help="at once, a quarter of them hostile")
    parser.add_argument("--seconds", type=float, default=60.0, help="that the server is besieged")
    parser.add_argument("--memory-mb", type=int, default=4096, help="that the server may take")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print(outcome.line(), flush=True)

    with tempfile.TemporaryDirectory(prefix="siege-") as scratch:
        for verb in filter(None, given.verbs.split(",") if given.kills else []):
            note(kill(verb, given.kills, Path(scratch) / verb, given.seed))
        for name in filter(None, given.formats.split(",") if given.fuzz else []):
            note(fuzz(name, given.fuzz, given.seed))
        if given.clients:
            note(besiege(given.clients, given.seconds, given.memory_mb, Path(scratch)))
    print(table(outcomes))
    return int(any(not outcome.good for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
