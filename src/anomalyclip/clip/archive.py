"""Read the tensors of a TorchScript archive without running it.

OpenAI publishes its weights as TorchScript. ``torch.jit.load`` would compile and may run code of an untrusted file, and
is deprecated; a restricted unpickler that knows nothing but tensors and empty module shells is enough for the weights.
"""

from __future__ import annotations

import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from anomalyclip.clip.pickles import MAX_PICKLE, check_members
from anomalyclip.errors import WeightsError

_MOST_CODE = 2**25  # bytes of code that are looked through; every block may have files of its own

_STORAGE_DTYPES = {
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}


@dataclass(frozen=True)
class ArchivedTensor:
    """A tensor still on disk: where its storage lies and how to view it."""

    member: str
    dtype: torch.dtype
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def load(self, path: Path) -> Tensor:
        """Read the storage from the archive and view it; raises :class:`WeightsError` if it is too short."""
        try:
            with zipfile.ZipFile(path) as archive:
                storage = torch.frombuffer(bytearray(archive.read(self.member)), dtype=self.dtype)
            return storage.as_strided(self.shape, self.stride, self.offset)
        except (RuntimeError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise WeightsError(
                f"{path}: the storage {self.member} is missing, damaged or shorter than its tensor; download it again"
            ) from error


class _Shell:
    """Stands for any module class of the archive: keeps attributes, has no behaviour."""

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError("a module's state is not a dict")
        self.__dict__.update(state)


def _keep_first(value: Any, *_: Any) -> Any:
    return value


@dataclass(frozen=True)
class _Storage:
    dtype: torch.dtype
    member: str


class _TensorUnpickler(pickle.Unpickler):
    """Builds shells and :class:`ArchivedTensor`; every other global is refused."""

    def __init__(self, file: Any, prefix: str) -> None:
        super().__init__(file)
        self._prefix = prefix

    def find_class(self, module: str, name: str) -> Any:
        if module == "__torch__" or module.startswith("__torch__."):
            return _Shell
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return self._tensor
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        if module == "torch.jit._pickle":  # typed lists and dicts: the plain value is all we need
            return _keep_first
        raise pickle.UnpicklingError(f"the global {module}.{name} has no place in a weights file")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key = (*pid, "", "", "")[:3] if isinstance(pid, tuple) else ("", "", "")
        key = str(key)
        if kind != "storage" or not isinstance(dtype, torch.dtype) or not key.isalnum():
            raise pickle.UnpicklingError(f"unexpected persistent id {pid!r}")
        return _Storage(dtype, f"{self._prefix}/data/{key}")

    @staticmethod
    def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> ArchivedTensor:
        sizes, steps = tuple(size), tuple(stride)
        whole = all(type(each) is int and 0 <= each <= 2**40 for each in (offset, *sizes, *steps))
        if not isinstance(storage, _Storage) or not whole or len(sizes) != len(steps) or len(sizes) > 8:
            raise pickle.UnpicklingError("a tensor's sizes are no sizes")
        return ArchivedTensor(storage.member, storage.dtype, offset, sizes, steps)


def is_torchscript(path: Path) -> bool:
    """Whether a zip file is a TorchScript archive: those carry their code."""
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name or name.endswith("/constants.pkl") for name in archive.namelist())


def read_torchscript(path: Path) -> tuple[dict[str, ArchivedTensor], str]:
    """Names (as ``state_dict`` would give them) and lazily read tensors of a TorchScript archive, and its code.

    Raises:
        WeightsError: a bomb, or not such an archive. And what reading a damaged zip or pickle raises.
    """
    with zipfile.ZipFile(path) as archive:
        check_members(archive.infolist(), path.stat().st_size, path, WeightsError)
        pickled = [each for each in archive.infolist() if re.fullmatch(r"[^/]+/data\.pkl", each.filename)]
        if len(pickled) != 1 or pickled[0].file_size > MAX_PICKLE:
            raise WeightsError(f"{path}: a TorchScript archive has one small data.pkl, found {len(pickled)}")
        prefix = pickled[0].filename.partition("/")[0]
        with archive.open(pickled[0]) as file:
            root = _TensorUnpickler(file, prefix).load()
        code = _code(archive, path)
    if not isinstance(root, _Shell):
        raise WeightsError(f"{path}: the TorchScript archive holds no module")
    return dict(_walk(root)), code


def _code(archive: zipfile.ZipFile, path: Path) -> str:
    sources = [each for each in archive.infolist() if each.filename.endswith(".py")]
    if (size := sum(each.file_size for each in sources)) > _MOST_CODE:
        raise WeightsError(f"{path}: the TorchScript archive has {size} bytes of code, {_MOST_CODE} are the most")
    return "".join(archive.read(each).decode("utf-8", "replace") for each in sources)


def _walk(root: _Shell) -> Iterator[tuple[str, ArchivedTensor]]:
    """All tensors, module by module; a module that hangs in more than one place is told once.

    Shells may hang in one another in circles, or so that they have a thousand million ways to one tensor.
    """
    waiting, seen = [("", root)], {id(root)}
    while waiting:
        prefix, node = waiting.pop()
        for name, value in vars(node).items():
            if isinstance(value, ArchivedTensor):
                yield prefix + name, value
            elif isinstance(value, _Shell) and id(value) not in seen:
                seen.add(id(value))
                waiting.append((f"{prefix}{name}.", value))
