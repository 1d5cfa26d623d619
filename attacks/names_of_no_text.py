"""Good pictures whose names are bytes that are no text: a profile keeps the names of those that set its line.

`calibrate` read all of them, and ended in a traceback.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from PIL import Image


def make(folder: Path, number: int = 4) -> None:
    folder.mkdir(parents=True)
    for count in range(number):
        name = os.fsencode(folder) + b"/part\xff\xfe%d.png" % count
        with open(name, "wb") as file:  # noqa: PTH123 - a Path holds text
            Image.new("RGB", (40 + count, 30), (9, 60 * count, 200)).save(file, "PNG")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else "good"))  # then: anomalyclip calibrate good --output line.json
