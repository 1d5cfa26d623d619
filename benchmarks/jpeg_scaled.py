"""What decoding JPEG at a reduced scale (libjpeg's, by Pillow's `draft`) would save, and what it changes.

    python benchmarks/jpeg_scaled.py [--rounds 15]

Rendered pictures of `pocket` as JPEG files of 512, 1024 and 2048 pixels a side. libjpeg decodes at 1/2, 1/4 or 1/8; the
smallest that is no smaller than the model's own size is taken. Per size: CPU ms of decoding and resizing in full and
reduced (one thread, medians, in turn), and by how much score and map change at most.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time

import numpy as np
from PIL import Image

import anomalyclip
from anomalyclip.export.pictures import rendered_images

SIDES, PICTURES = (512, 1024, 2048), 4


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    model = anomalyclip.load("pocket")
    size = model.settings.image_size
    print("| side | decoded at | full, CPU ms | reduced, CPU ms | score, at most | map, at most |")
    print("|---:" * 6 + "|")
    for side in SIDES:
        files = [encoded(pixels) for pixels in rendered_images(side, PICTURES)]
        costs = {target: [] for target in (None, size)}
        for _ in range(given.rounds):
            for target, taken in costs.items():
                start = time.thread_time()
                for file in files:
                    model.preprocess(decoded(file, target))
                taken.append((time.thread_time() - start) / len(files))
        whole, reduced = (
            model.predict(np.stack([model.preprocess(decoded(file, target)) for file in files])) for target in costs
        )
        score, map_ = (float(np.abs(a - b).max()) for a, b in zip(whole, reduced, strict=True))
        full, less = (1000 * statistics.median(taken) for taken in costs.values())
        print(f"| {side} | {decoded(files[0], size).width} | {full:.1f} | {less:.1f} | {score:.1e} | {map_:.1e} |")


def encoded(pixels: np.ndarray) -> bytes:
    """(H, W, 3) bytes as a JPEG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92)
    return file.getvalue()


def decoded(file: bytes, least: int | None) -> Image.Image:
    """The picture in full, or at the smallest scale whose sides are no shorter than ``least``."""
    image = Image.open(io.BytesIO(file))
    if least:
        image.draft("RGB", (least, least))
    return image.convert("RGB")


if __name__ == "__main__":
    main()
