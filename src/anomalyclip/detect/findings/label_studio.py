"""Label Studio: a task per image with one prediction: its score, its decision as a choice, a polygon per region.

Polygons there have no holes: a region with some is a brush, which is a run-length code of a picture of its own
(:func:`brush_code`). Points are percent of the image's sides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from anomalyclip.detect import folder
from anomalyclip.detect.findings.parts import LABEL, filled, listed, run_lengths, scored_rows, whole
from anomalyclip.detect.journal import Row
from anomalyclip.detect.names import file_of
from anomalyclip.geometry.regions import Region
from anomalyclip.version import __version__

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LOCAL_FILES = "/data/local-files/?d="
"""Where Label Studio serves files of its own machine; what follows is below its document root."""

#: The labelling interface that these predictions are for.
INTERFACE = f"""<View>
  <Image name="image" value="$image"/>
  <PolygonLabels name="polygons" toName="image"><Label value="{LABEL}"/></PolygonLabels>
  <BrushLabels name="brush" toName="image"><Label value="{LABEL}"/></BrushLabels>
  <Choices name="decision" toName="image"><Choice value="anomalous"/><Choice value="normal"/></Choices>
</View>
"""
_WORD, _LENGTHS = 8, (3, 4, 8, 16)  # bits of a value, and of the four kinds of a run's length


def label_studio(path: Path) -> Iterator[str]:
    """The parts of the file: a JSON array of tasks."""
    cwd = folder.working_folder(path)
    yield "[\n"
    yield from listed(_task(row, cwd) for _, row in scored_rows(path))
    yield "]\n"


def address_of(row: Row, cwd: str) -> str:
    """The image's address where Label Studio's document root is /."""
    full = os.path.normpath(os.path.join(cwd, file_of(row["path"], row.get("frame"))))  # noqa: PTH118 - a name as it is
    return LOCAL_FILES + quote(os.fsencode(full.replace(os.sep, "/").lstrip("/")))


def _task(row: Row, cwd: str) -> dict[str, Any]:
    size = {"original_width": row["width"], "original_height": row["height"], "image_rotation": 0}
    results = [
        {"id": f"r{number}-{part}", "to_name": "image", "score": region["peak"]} | size | shape
        for number, region in enumerate(row["regions"])
        for part, shape in enumerate(_shapes(region, row["width"], row["height"]))
    ]
    if row["decision"] is not None:
        choice = {"choices": [row["decision"]]}
        results.append(
            {"id": "decision", "to_name": "image", "from_name": "decision", "type": "choices"} | {"value": choice}
        )
    told = {"path": row["path"], "anomaly_score": row["score"]}
    prediction = {
        "model_version": f"anomalyclip {__version__}, {row['model']}",
        "score": row["score"],
        "result": results,
    }
    return {"data": {"image": address_of(row, cwd)} | told, "predictions": [prediction]}


def _shapes(region: Region, width: int, height: int) -> Iterator[dict[str, Any]]:
    value: dict[str, Any]
    if not whole(region):
        import numpy as np

        x, y, w, h = region["box"]
        mask = np.zeros((height, width), np.bool_)
        mask[y : y + h, x : x + w] = filled(region)
        value = {"format": "rle", "rle": brush_code(mask), "brushlabels": [LABEL]}
        yield {"type": "brushlabels", "from_name": "brush", "value": value}
        return
    for (ring,) in region["polygons"]:
        points = [[100 * x / width, 100 * y / height] for x, y in ring[:-1]]
        value = {"points": points, "closed": True, "polygonlabels": [LABEL]}
        yield {"type": "polygonlabels", "from_name": "polygons", "value": value}


def brush_code(mask: npt.NDArray[np.bool_]) -> list[int]:
    """(H, W) -> bytes of Label Studio's run-length code of the RGBA picture that is 255 inside and 0 outside.

    32 bits: how many values; 5 bits: bits of a value less one; four times 4 bits: the bits of each kind of length less
    one. Then per run a 1, 2 bits for the kind of its length, the length less one, and the value.
    """
    bits = [f"{4 * mask.size:032b}", f"{_WORD - 1:05b}", *(f"{length - 1:04b}" for length in _LENGTHS)]
    longest = 1 << _LENGTHS[-1]
    for number, pixels in enumerate(run_lengths(mask)):
        left, value = 4 * pixels, 255 * (number % 2)
        while left:
            length = min(left, longest)
            kind = next(i for i, size in enumerate(_LENGTHS) if length - 1 < 1 << size)
            bits.append(f"1{kind:02b}{length - 1:0{_LENGTHS[kind]}b}{value:0{_WORD}b}")
            left -= length
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))
