"""An export with a link that its sidecar does not list and that leads elsewhere: a runtime finds it by what the graph
names, and so reads a file that nobody meant to give it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from export_weights_elsewhere import end_of
from export_weights_elsewhere import make as make_export


def make(folder: Path, target: str = "../secret.bin", name: str = "other.bin") -> Path:
    export = make_export(folder, "model.bin")
    (export / name).unlink(missing_ok=True)
    (export / name).symlink_to(target)
    return export


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(end_of(make(Path(place))))
