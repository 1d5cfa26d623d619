"""`python -m anomalyclip.data.synthetic OUT.png`: look at what the renderer draws."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from anomalyclip.errors import AnomalyClipError

from .sheet import contact_sheet, write_sheet


def main(argv: list[str] | None = None) -> int:
    """Parse the command line, write one sheet, return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m anomalyclip.data.synthetic", description="Render a contact sheet.")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=32)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--columns", type=int, default=8)
    parser.add_argument("--families", nargs="*", default=None)
    state = parser.add_mutually_exclusive_group()
    state.add_argument("--normal", action="store_true", help="only normal pictures, no masks")
    state.add_argument("--anomalous", action="store_true", help="only anomalous pictures")
    args = parser.parse_args(argv)
    wanted = True if args.anomalous else False if args.normal else None
    try:
        write_sheet(args.out, contact_sheet(args.seed, args.count, args.size, args.families, wanted, args.columns))
    except AnomalyClipError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
