"""A picture that kills whoever decodes it: here by a fault that `tests/io/faults` puts into the decoder.

It costs a line without a record of attempts everything: the process dies, is started again, and dies at the same file.
"""

import io

from PIL import Image
from shown import show


def make(width: int = 97, height: int = 88) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), (90, 120, 60)).save(buffer, "PNG")
    return buffer.getvalue()


if __name__ == "__main__":
    show(make)
