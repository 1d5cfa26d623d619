"""Files that hold tensors, opened without trust: safetensors, torch.save's archives, TorchScript."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anomalyclip.clip.archive import is_torchscript, read_torchscript
from anomalyclip.clip.limits import shown
from anomalyclip.clip.pickles import check_archive, check_streams, is_zip
from anomalyclip.clip.safetensors_header import Header, read_header
from anomalyclip.clip.wrappings import bare, unwrap
from anomalyclip.errors import WeightsError
from anomalyclip.io.refused_kinds import refused_kind

_HEAD = 264
_MOST_RESIDENT = 2**23  # bytes read before a file is mapped anew
#: First bytes of models of other programs.
_OTHERS = {b"GGUF": "a GGUF model", b"TFL3": "a TensorFlow Lite model", b"\x08": "an ONNX or TensorFlow model"}


@dataclass(frozen=True)
class Entry:
    """A tensor not read yet: its shape, and how to read it."""

    shape: tuple[int, ...]
    load: Callable[[], Tensor]


@dataclass(frozen=True)
class Opened:
    """A file's tensors under its own names (wrappers taken off), and what else it says.

    Attributes:
        metadata: a safetensors file's own texts.
        code: the source of a TorchScript archive; None for every other file.
    """

    entries: dict[str, Entry]
    metadata: dict[str, str]
    code: str | None = None


def open_container(path: Path) -> Opened:
    """Open a file of any known container; content decides, not the suffix.

    Raises:
        WeightsError: unreadable, damaged, a bomb, or one that would run code.
    """
    head = b""
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
            stream.seek(0)
            if head[8:9] == b"{":
                return _safetensors(path, read_header(stream, path.stat().st_size, path))
            if is_zip(head) and is_torchscript(path):
                tensors, code = read_torchscript(path)
                entries = {name: Entry(each.shape, partial(each.load, path)) for name, each in tensors.items()}
                return Opened(bare(entries), {}, code)
            return _pickled(path, stream, zipped=is_zip(head))
    except WeightsError:
        raise
    except Exception as error:  # whatever a hostile file makes a parser say, it ends here
        raise WeightsError(
            f"{path} is not a readable weights file ({_reason(head, error)}); "
            "expected safetensors, a TorchScript archive or a state dict"
        ) from error


def _reason(head: bytes, error: Exception) -> str:
    """What the file is instead, or the parser's first line; torch's own would advise to run what a pickle holds."""
    kind = None if head.startswith(b"PK") else refused_kind(head)
    if kind is not None:
        return f"it is {kind.name}; {kind.own_remedy}" if kind.own_remedy else f"it is {kind.name}"
    if not head:
        return "it is empty"
    if other := next((name for magic, name in _OTHERS.items() if head.startswith(magic)), ""):
        return f"it is {other}"
    if isinstance(error, zipfile.BadZipFile):
        return "it is cut short or damaged: a ZIP archive without its end; download it again"
    if head.isascii() and head.decode().replace("\n", " ").replace("\r", " ").replace("\t", " ").isprintable():
        return f"it is a text: {shown(head.decode())}; download the weights again"
    text = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
    return "no pickle of tensors alone" if "weights_only" in text else text


def _safetensors(path: Path, header: Header) -> Opened:
    read = _Mapping(path).read
    entries = {name: Entry(shape, partial(read, name)) for name, (_, shape) in header.tensors.items()}
    return Opened(bare(entries), header.metadata)


class _Mapping:
    """A safetensors file, mapped anew every few MB: what was read of it stays resident until its mapping is closed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: Any = None
        self._bytes = 0

    def read(self, name: str) -> Tensor:
        """One tensor; WeightsError where the file is damaged."""
        from safetensors import SafetensorError, safe_open

        try:
            if self._handle is None:
                self._handle, self._bytes = safe_open(self._path, framework="pt"), 0
            tensor: Tensor = self._handle.get_tensor(name)
        except SafetensorError as error:
            raise WeightsError(f"{self._path} is a damaged safetensors file ({error}); download it again") from error
        self._bytes += tensor.nbytes
        if self._bytes > _MOST_RESIDENT:
            self._handle = None
        return tensor


def _pickled(path: Path, stream: Any, *, zipped: bool) -> Opened:
    size = path.stat().st_size
    if zipped:
        check_archive(stream, size, path, WeightsError)
    else:
        check_streams(stream, path, WeightsError)
    loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=zipped and zipfile.is_zipfile(path))
    try:
        state = unwrap(loaded, lambda value: isinstance(value, Tensor))
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name, tensor in tensors.items():
        _check_dense(name, tensor, path)
    return Opened({name: Entry(tuple(x.shape), partial(_same, x)) for name, x in tensors.items()}, {})


def _check_dense(name: str, tensor: Tensor, path: Path) -> None:
    """An ordinary tensor that has as many numbers in memory as it says; views may claim any number of them."""
    dense = tensor.layout == torch.strided and not tensor.is_quantized and tensor.device.type == "cpu"
    if not dense or tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise WeightsError(f"{path}: {name[:120]} is no plain tensor with all its numbers; save the model again")


def _same(tensor: Tensor) -> Tensor:
    return tensor
