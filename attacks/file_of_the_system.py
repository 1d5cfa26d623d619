"""A link to a file of /proc, whose size is 0 and whose content is not: `watch` took it for one that is still written.

`watch --once` read it again and again, and never ended.
"""

from __future__ import annotations

import sys
from pathlib import Path


def make(folder: Path) -> None:
    (folder / "picture.png").symlink_to("/proc/self/environ")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "in"))  # then: anomalyclip watch in --once --output out
