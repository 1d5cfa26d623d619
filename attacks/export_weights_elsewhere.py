"""An exported ONNX graph that has its weights in a file elsewhere: whatever lies there is read as numbers, and a score
or a map tells it. Whether `../` and absolute paths are followed is left to the runtime and its version.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from anomalyclip.encoders.sidecar import Artefact, read_artefact, record_files, write_sidecar
from anomalyclip.errors import AnomalyClipError

WEIGHTS = bytes(range(1, 33))  # eight numbers of float32
_FLOAT = b"\x08\x01"


def make(folder: Path, location: str = "../secret.bin") -> Path:
    """An export of one sum, whose addend lies at `location`; the sidecar lists what is in the folder."""
    (folder / "secret.bin").write_bytes(WEIGHTS)
    export = folder / "export"
    export.mkdir(exist_ok=True)
    (export / "model.bin").write_bytes(WEIGHTS)
    (export / "model.onnx").write_bytes(graph(location))
    return listed(export)


def listed(export: Path) -> Path:
    """The folder with its sidecar."""
    (export / "anomalyclip.json").unlink(missing_ok=True)
    fields = {"image_size": 8, "pixels": "uint8", "input": {}, "outputs": {}, "provenance": {}, "made_with": {}}
    write_sidecar(export, Artefact(format="onnx", precision="fp32", files=record_files(export), **fields))
    return export


def graph(location: str) -> bytes:
    """y = x + w of eight numbers, as onnx.proto writes it."""
    shape = _part(2, _part(1, _FLOAT + _part(2, _part(1, b"\x08\x08"))))
    entries = (("location", location), ("offset", "0"), ("length", "32"))
    told = [_part(13, _part(1, key.encode()) + _part(2, value.encode())) for key, value in entries]
    weights = b"\x08\x08\x10\x01" + _part(8, b"w") + b"".join(told) + b"\x70\x01"
    node = _part(1, b"x") + _part(1, b"w") + _part(2, b"y") + _part(4, b"Add")
    inside = _part(1, node) + _part(2, b"g") + _part(5, weights)
    ends = _part(11, _part(1, b"x") + shape) + _part(12, _part(1, b"y") + shape)
    return b"\x08\x09" + _part(7, inside + ends) + _part(8, b"\x10\x12")


def end_of(export: Path) -> str:
    """`refused: MESSAGE`, or `opened`."""
    try:
        read_artefact(export)
    except AnomalyClipError as error:
        return f"refused: {error}"
    return "opened"


def _part(number: int, content: bytes) -> bytes:
    size, length = bytearray(), len(content)
    while length > 127:
        size.append(length & 127 | 128)
        length >>= 7
    return bytes([number << 3 | 2, *size, length]) + content


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        print(end_of(make(Path(place))))
