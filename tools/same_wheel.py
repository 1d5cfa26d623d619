"""Whether two wheels hold the same files with the same bytes: what was published can be built again by anybody.

    python tools/same_wheel.py first.whl second.whl

Times of the archive's entries do not count, nor does RECORD, which follows from the rest.
"""

from __future__ import annotations

import sys
import zipfile


def contents(path: str) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith(".dist-info/RECORD")}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit(f"usage: {sys.argv[0]} first.whl second.whl")
    first, second = map(contents, sys.argv[1:])
    different = sorted(name for name in first.keys() | second.keys() if first.get(name) != second.get(name))
    if different:
        sys.exit(f"error: {len(different)} files differ: {', '.join(different[:5])}")
    print(f"{len(first)} files, all the same")


if __name__ == "__main__":
    main()
