"""A packed NIfTI volume of one slice with 300 MB of zeros behind it, in 300 kB: unpacked whole they fill the disk."""

from __future__ import annotations

import gzip
import io

from nifti_absurd_sides import header
from shown import show


def make(millions: int = 300) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as file:
        file.write(header(16, 16, 1) + b"\0" * 256)
        for _ in range(millions):
            file.write(b"\0" * 1_000_000)
    return buffer.getvalue()


if __name__ == "__main__":
    show(make)
