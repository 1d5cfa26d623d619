"""The process that decodes for another one: `python -m anomalyclip.io.isolated`, started and ended by `isolation`.

Requests and answers are frames on stdin and stdout: four bytes of length, so much JSON, then the bytes that the JSON
announces. Nothing is unpickled on either side, so a decoder that was taken over can lie about pixels and no more. The
process may write no file, and may take, per picture, the memory that the picture's checked header accounts for and so
many seconds of CPU; beyond that a decoder meets MemoryError, or the system ends it. A picture that is to be `quick` is
given up after a part of a second, as a rule without the process.
"""

from __future__ import annotations

import io
import json
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, TypeVar

from anomalyclip.errors import ImageReadError
from anomalyclip.io import content, decoding, frames, inspection
from anomalyclip.io.full_scale import parse_full_scale
from anomalyclip.io.headers import sniff
from anomalyclip.io.limits import DEFAULT_MAX_BYTES
from anomalyclip.io.mask_levels import levels_in
from anomalyclip.io.notes import notes_of
from anomalyclip.io.opened import reported, use_file
from anomalyclip.io.refusal import Refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
Answer = tuple[dict[str, Any], bytes]

_SLACK = 192 << 20  # bytes beyond the header's account: tables of codecs, threads' stacks, what was freed in pieces
_KEPT = 96 << 20  # bytes that may stay with us between two pictures
_KEPT_VOLUMES = 1 << 30  # and those of volumes whose next slice will be asked for


_LIBRARIES = {
    "DICOM": ("pydicom", "anomalyclip.io.dicom", "anomalyclip.io.dicom_pixels"),
    "NIFTI": ("nibabel", "anomalyclip.io.nifti"),
    "HEIC": ("pillow_heif",),
}
"""Large ones, which only these formats need."""
_GRACE = 2.0  # of a decoder that does not come back to us, in times of what is quick; then the system ends it


class Overrun(BaseException):
    """It took longer than it may, in code that would have gone on; nothing that it is caught by takes it for a fault of
    the file."""


def read_frame(pipe: IO[bytes]) -> tuple[dict[str, Any], bytearray] | None:
    """The next message and its bytes; None at the end. `bytes` in a message is how many follow it."""
    head = pipe.read(4)
    if len(head) < 4:
        return None
    text = pipe.read(struct.unpack(">I", head)[0])
    message: dict[str, Any] = json.loads(text)
    data = bytearray(int(message.get("bytes", 0)))
    view, got = memoryview(data), 0
    while got < len(data):
        count = pipe.readinto(view[got:])  # type: ignore[attr-defined]
        if not count:
            return None
        got += count
    return message, data


def write_frame(pipe: IO[bytes], message: dict[str, Any], data: bytes | bytearray = b"") -> None:
    """Send a message, and bytes behind it."""
    text = json.dumps({**message, "bytes": len(data)}).encode()
    pipe.write(struct.pack(">I", len(text)) + text)
    pipe.write(data)
    pipe.flush()


def main() -> None:
    """Answer until stdin ends, or until more memory stays behind than a fresh process would need."""
    requests, answers = os.fdopen(os.dup(0), "rb", 1 << 16), os.fdopen(os.dup(1), "wb", 1 << 16)
    os.dup2(2, 1)  # what a library prints must not be taken for an answer
    _yield_to_others(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    limits = _Limits()
    write_frame(answers, {"ready": True})
    while (request := read_frame(requests)) is not None:
        message, data = request
        limits.before(message, len(data))
        try:
            _load_for(message, data)
            with _quick(message.get("quick")):
                answer, pixels = _answered(message, bytes(data), limits)
        except Overrun:
            answer, pixels = {"overrun": True}, b""
        del data
        tired = limits.after()
        write_frame(answers, {**answer, "last": tired}, pixels)
        if tired:
            return


def _yield_to_others(nice: int) -> None:
    with suppress(AttributeError, OSError):  # Windows has none
        os.nice(nice)


def _load_for(message: dict[str, Any], data: bytearray) -> None:
    """What the first file of a kind would have to wait for is not its own time."""
    if message.get("quick"):
        with suppress(Refusal):
            for name in _LIBRARIES.get(sniff(io.BytesIO(data)), ()):
                with suppress(ImportError):
                    import_module(name)


@contextmanager
def _quick(seconds: float | None) -> Iterator[None]:
    """Raises Overrun after so many seconds of CPU; a decoder that does not return is ended with SIGVTALRM."""
    if not seconds or not hasattr(signal, "setitimer"):
        yield
        return
    signal.signal(signal.SIGPROF, _overrun)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    signal.setitimer(signal.ITIMER_VIRTUAL, _GRACE * seconds)
    try:
        yield
    finally:
        signal.signal(signal.SIGPROF, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _overrun(number: int, frame: object) -> None:
    raise Overrun


def _answered(message: dict[str, Any], data: bytes, limits: _Limits) -> Answer:
    """What was asked, or the reason why not; whatever a decoder raises is a reason."""
    name = str(message["name"])
    try:
        if message["ask"] == "survey":
            return _surveyed(data, name, message), b""
        inspection.checked = limits.of_header
        return _ASKED[message["ask"]](data, name, message)
    except ImageReadError as error:
        return {"error": str(error)}, b""
    except MemoryError:
        return {"error": f"{name}: not enough memory to decode it; scale it down"}, b""


def _used(data: bytes, name: str, message: dict[str, Any], use: Callable[..., T], **options: Any) -> T:
    """`use(file, max_pixels, frame=...)` of the file that is asked for."""
    options |= {"max_pixels": message["max_pixels"], "frame": message["frame"]}
    if message["path"] is None:
        return reported(name, lambda: use(io.BytesIO(data), **options))
    path = os.fsdecode(bytes.fromhex(message["path"]))
    if message["frame"] is None:
        path, options["frame"] = frames.split_frame(path)
    return use_file(path, lambda file: use(file, **options), DEFAULT_MAX_BYTES)


def _read(data: bytes, name: str, message: dict[str, Any]) -> Answer:
    scale = parse_full_scale(message["full_scale"])
    image = _used(data, name, message, content.rgb, axis=message["axis"], full_scale=scale)
    notes = list(notes_of(image))
    return {"width": image.width, "height": image.height, "notes": notes}, image.tobytes()


def _size(data: bytes, name: str, message: dict[str, Any]) -> Answer:
    width, height = _used(data, name, message, content.upright_size, axis=message["axis"])
    return {"width": width, "height": height}, b""


def _mask(data: bytes, name: str, message: dict[str, Any]) -> Answer:
    def marked(file: BinaryIO, **options: Any) -> NDArray[np.bool_]:
        return decoding.foreground(*content.decode(file, windowed=False, **options))

    found = _used(data, name, message, marked, axis=message["axis"])
    return {"shape": found.shape, "dtype": "bool"}, found.tobytes()


def _levels(data: bytes, name: str, message: dict[str, Any]) -> Answer:
    found = _used(data, name, message, levels_in)
    told = {key: value for key, value in vars(found).items() if key != "levels"}
    return {"shape": found.levels.shape, "dtype": found.levels.dtype.name, **told}, found.levels.tobytes()


_ASKED = {"read": _read, "size": _size, "mask": _mask, "levels": _levels}


def _surveyed(data: bytes, name: str, message: dict[str, Any]) -> dict[str, Any]:
    """How many pictures, and the most bytes that reading one of them takes."""
    number = frames.count_frames_of(data, name, axis=message["axis"], max_pixels=message["max_pixels"])
    header = reported(name, lambda: inspection.read_header(io.BytesIO(data), message["max_pixels"]))
    return {"number": number, "decoded": header.decoded_bytes, "pixels": header.width * header.height}


class _Limits:
    """Of memory and CPU, where the system has them (`isolation.lacking` says where it has not)."""

    def __init__(self) -> None:
        self._base = _virtual()
        self._given = 0
        with suppress(ImportError, OSError, ValueError):
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def before(self, message: dict[str, Any], size: int) -> None:
        """Seconds of CPU for this picture, and memory for its header only."""
        self._given = size
        with suppress(ImportError, OSError, ValueError):
            import resource

            used = resource.getrusage(resource.RUSAGE_SELF)
            seconds = int(used.ru_utime + used.ru_stime + float(message["seconds"])) + 1
            resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.getrlimit(resource.RLIMIT_CPU)[1]))
        self._bound(2 * size + _SLACK)

    def of_header(self, header: inspection.Header) -> None:
        """What its checked header says that decoding takes."""
        self._bound(header.decoded_bytes + 4 * header.width * header.height + 2 * self._given + _SLACK)

    def after(self) -> bool:
        """Whether more memory stayed behind than we may keep."""
        self._bound(None)
        return _virtual() > self._base + _KEPT + min(_volumes(), _KEPT_VOLUMES)

    def _bound(self, more: int | None) -> None:
        with suppress(ImportError, OSError, ValueError):
            import resource

            if sys.platform == "linux":
                hard = resource.getrlimit(resource.RLIMIT_AS)[1]
                soft = hard if more is None else _virtual() + more
                resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _volumes() -> int:
    module = sys.modules.get("anomalyclip.io.nifti")  # not loaded for other formats
    return 0 if module is None else int(module.kept_bytes())


def _virtual() -> int:
    """Bytes of address space; 0 where /proc does not say."""
    try:
        return int(Path("/proc/self/statm").read_bytes().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return 0


if __name__ == "__main__":
    import cv2

    cv2.setNumThreads(1)
    main()
