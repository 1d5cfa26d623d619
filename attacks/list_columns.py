"""A list of images with a million columns: each was compared with all others, and its cells were looked for as files.

10 MB took days.
"""

from __future__ import annotations

import sys
from pathlib import Path


def rows(number: int = 1_000_000) -> str:
    return ",".join(f"c{n}" for n in range(number)) + "\n" + "1," * (number - 1) + "1\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "list.csv").write_text(rows(), "utf-8")  # then: anomalyclip data check
