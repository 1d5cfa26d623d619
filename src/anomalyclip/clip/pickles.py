"""What torch.save wrote, looked at before torch opens it: no bombs, and no names but those that tensors need."""

from __future__ import annotations

import pickletools
import re
import zipfile
from collections.abc import Callable
from typing import IO, Any

from anomalyclip.clip.limits import shown
from anomalyclip.errors import AnomalyClipError

_MAGIC = b"PK\x03\x04"
MAX_PICKLE = 4 * 2**20  # of what describes the tensors: a checkpoint of ViT-L with its optimiser has 0.5 MB
MAX_MEMBERS = 100_000
_STREAMS = 5  # pickles in a row in the format of torch before 1.6; a tensor's bytes behind them may look like a sixth
_ALLOWED = re.compile(
    r"collections (OrderedDict|Counter|defaultdict)|torch\._utils _rebuild_(tensor_v2|parameter|parameter_with_state)"
    r"|torch (\w+Storage|Size|device|b?float\d*|half|double|u?int\d+|long|int|short|bool)"
    r"|torch\.storage (Typed|Untyped)Storage|(builtins|__builtin__) set|_codecs encode"
)
_NAMING = ("GLOBAL", "INST", "STACK_GLOBAL", "EXT1", "EXT2", "EXT4")


def is_zip(head: bytes) -> bool:
    """Whether a file that begins so is a zip archive, as torch writes them since 1.6."""
    return head.startswith(_MAGIC)


def check_archive(
    stream: IO[bytes],
    size: int,
    path: object,
    error: Callable[[str], AnomalyClipError],
    *,
    most_members: int = MAX_MEMBERS,
    most_pickle: int = MAX_PICKLE,
) -> None:
    """Refuse a zip of torch.save that is a bomb, or whose pickle names anything but tensors.

    Args:
        stream: the archive of ``size`` bytes; it is left anywhere.
        path: for messages.
        error: makes the refusal that is raised.
        most_members, most_pickle: members, and bytes of what describes the tensors.
    """
    with zipfile.ZipFile(stream) as archive:
        members = archive.infolist()
        check_members(members, size, path, error)
        if len(members) > most_members:
            raise error(f"{path} is not such an archive of torch.save ({len(members)} members, too large)")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise error(f"{path} is not an archive of torch.save (compressed); do not trust it")
        pickles = [member for member in members if member.filename.endswith("data.pkl")]
        if len(pickles) != 1 or pickles[0].file_size > most_pickle:
            raise error(f"{path} is not an archive of torch.save (it needs one small data.pkl)")
        with archive.open(pickles[0]) as file:
            _check_pickle(file, path, error)


def check_members(
    members: list[zipfile.ZipInfo], size: int, path: object, error: Callable[[str], AnomalyClipError]
) -> None:
    """Refuse members that say more bytes than the file of ``size`` bytes has, or the same name twice."""
    if len(members) > MAX_MEMBERS or len({member.filename for member in members}) != len(members):
        raise error(f"{path} is no archive of weights: {len(members)} members, or two of one name; do not trust it")
    # torch never compresses tensors: what is compressed is not its work, and could be a bomb
    packed = [member for member in members if member.compress_type != zipfile.ZIP_STORED]
    bomb = any("/data/" in member.filename or member.file_size > MAX_PICKLE for member in packed)
    outside = any(member.header_offset + member.compress_size > size for member in members)
    if bomb or outside or sum(member.compress_size for member in members) > size:
        raise error(f"{path} is not an archive of torch.save (compressed, or too large for its file); do not trust it")


def check_streams(stream: IO[bytes], path: object, error: Callable[[str], AnomalyClipError]) -> None:
    """The same for the format before torch 1.6: several pickles in a row, then the tensors' bytes."""
    bounded = _Bounded(stream, MAX_PICKLE)
    for _ in range(_STREAMS):
        where = stream.tell()
        if stream.read(1) != b"\x80":  # no pickle: torch will say so
            return
        stream.seek(where)
        _check_pickle(bounded, path, error)


def _check_pickle(file: Any, path: object, error: Callable[[str], AnomalyClipError]) -> None:
    for opcode, argument, _ in pickletools.genops(file):
        if opcode.name in _NAMING and not (opcode.name == "GLOBAL" and _ALLOWED.fullmatch(str(argument))):
            raise error(
                f"{path} is refused: loading it would run {shown(argument or opcode.name)}, weights and prompts need "
                "only tensors; save those alone where it is your own, else do not trust its source"
            )


class _Bounded:
    """A stream that ends after so many bytes in all."""

    def __init__(self, stream: IO[bytes], left: int) -> None:
        self._stream, self._left = stream, left

    def read(self, count: int = -1) -> bytes:
        return self._taken(self._stream.read(self._bound(count)))

    def readline(self) -> bytes:
        return self._taken(self._stream.readline(self._bound(-1)))

    def tell(self) -> int:
        return self._stream.tell()

    def _bound(self, count: int) -> int:
        if self._left <= 0:
            raise ValueError(f"its pickle has more than {MAX_PICKLE // 2**20} MiB")
        return self._left if count < 0 else min(count, self._left)

    def _taken(self, data: bytes) -> bytes:
        self._left -= len(data)
        return data
