"""A picture in a watched folder that a pipe takes the place of once it was seen to be a file: whoever opens it by its
name waits for a writer that never comes, and the line stands still for ever.
"""

from __future__ import annotations

import os
import tempfile
import threading
from contextlib import closing
from pathlib import Path

from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.watching.database import Database
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_folder import FolderOptions, FolderSource

_PATIENCE = 20.0


def end(folder: Path) -> str:
    """What the watch says of the pipe; "hangs" where it waits for a writer."""
    watched, own = folder / "in", folder / "out"
    watched.mkdir()
    own.mkdir()
    picture, said = watched / "a.png", ["hangs"]
    Image.new("RGB", (32, 24)).save(picture)
    with closing(Database(own)) as database:
        source = FolderSource(str(watched), Journal(database), FolderOptions(settle=0))
        (arrival,) = source.arrivals()
        picture.unlink()
        os.mkfifo(picture)

        def read() -> None:
            try:
                said[0] = f"read {source.read(arrival)}"
            except ImageReadError as error:
                said[0] = f"refused: {error}"
            source.settle(arrival)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        reader.join(_PATIENCE)
        if reader.is_alive():  # let it go: the database is its own
            os.close(os.open(picture, os.O_RDWR | os.O_NONBLOCK))
            reader.join(_PATIENCE)
            return "hangs"
    return said[0]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(end(Path(place)))
