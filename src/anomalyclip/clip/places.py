"""Where weights lie: a file, a folder in any published layout, shards with their index, a hub cache."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from anomalyclip.clip.json_fields import read_json
from anomalyclip.clip.limits import shown
from anomalyclip.errors import WeightsError

_INDEX = ".index.json"
FILES = (
    "model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin", "open_clip_pytorch_model.bin",
)  # fmt: skip
_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
_CONFIGS = ("open_clip_config.json", "config.json")
_SHARD = re.compile(r".*-\d{5}-of-\d{5}\.(safetensors|bin)")
_MAX_SHARDS = 1000


@dataclass(frozen=True)
class Place:
    """Weights found.

    Attributes:
        path: what messages call them.
        files: the file, or the shards with the names of the tensors that the index wants from each.
    """

    path: Path
    files: dict[Path, frozenset[str] | None]


def find(path: Path) -> Place:
    """The files behind a path.

    Raises:
        WeightsError: nothing there, several candidates, or an index that names files outside its folder.
    """
    if not path.exists():
        raise WeightsError(f"the weights {path} do not exist; give a file or a model's folder")
    if path.is_dir():
        return _in_folder(_snapshot(path))
    if not path.is_file():
        raise WeightsError(f"the weights {path} are neither a file nor a folder; give one of them")
    if path.name.endswith(_INDEX):
        return _sharded(path)
    if _SHARD.fullmatch(path.name):
        raise WeightsError(f"{path} is one part of several; give the folder they lie in, or its *{_INDEX}")
    return Place(path, {path: None})


def config_beside(place: Place, *, hugging_face: bool) -> Path | None:
    """The config file that belongs to tensors with names of Hugging Face, or of OpenAI and open_clip."""
    folder = place.path.parent
    if hugging_face:
        found = folder / "config.json"
        return found if found.is_file() else None
    for name in _CONFIGS:
        found = folder / name
        if found.is_file() and (name == _CONFIGS[0] or _is_open_clips(read_json(found))):
            return found
    return None


def _is_open_clips(config: Any) -> bool:
    return isinstance(config, dict) and "model_cfg" in config


def _in_folder(folder: Path) -> Place:
    wanted: tuple[str, ...] = FILES
    if (folder / _CONFIGS[0]).is_file() and _is_timms(folder / _CONFIGS[1]):
        wanted = tuple(
            name for name in FILES if name.startswith("open_clip")
        )  # the others are timm's image tower alone
    for name in wanted:
        if (folder / name).is_symlink() and not (folder / name).exists():
            raise WeightsError(f"{folder / name} is a link to a file that is not there; download it again")
        if (folder / name).is_file():
            return Place(folder / name, {folder / name: None})
        if (folder / (name + _INDEX)).is_file():
            return _sharded(folder / (name + _INDEX))
    if any((folder / name).is_file() for name in _CONFIGS):  # weights of any name beside a config: if there is just one
        others = sorted(each for each in folder.iterdir() if each.suffix in _SUFFIXES)
        if len(others) == 1 and others[0].is_file():
            return find(others[0])
    if models := sorted(each.name for each in folder.glob("models--*")):
        raise WeightsError(f"{folder} is a hub cache; give one of its models: {shown(', '.join(models), 400)}")
    raise WeightsError(f"the folder {folder} holds none of {', '.join(FILES)}, nor an index of their parts")


def _is_timms(config: Path) -> bool:
    told = read_json(config) if config.is_file() else None
    return isinstance(told, dict) and "architecture" in told and "model_type" not in told


def _snapshot(folder: Path) -> Path:
    """The current revision in a folder of a hub cache (``models--owner--name``); else the folder itself."""
    snapshots = folder / "snapshots"
    if not snapshots.is_dir() or not folder.name.startswith("models--"):
        return folder
    main = folder / "refs" / "main"
    if main.is_file() and main.stat().st_size <= 128:
        revision = main.read_text(encoding="ascii", errors="replace").strip()
        if re.fullmatch(r"[0-9a-f]{7,64}", revision) and (snapshots / revision).is_dir():
            return snapshots / revision
    found = [each for each in snapshots.iterdir() if each.is_dir()]
    if len(found) == 1:
        return found[0]
    raise WeightsError(
        f"{folder} holds {len(found)} revisions and does not say which is current; give one of {snapshots}"
    )


def _sharded(index: Path) -> Place:
    told = read_json(index)
    parts = told.get("weight_map") if isinstance(told, dict) else None
    if not isinstance(parts, dict) or not parts:
        raise WeightsError(f"{index} has no weight_map; download it again")
    wanted: dict[str, set[str]] = {}
    for tensor, name in parts.items():
        if not isinstance(name, str) or PurePosixPath(name).name != name or "\\" in name or name in ("", ".", ".."):
            raise WeightsError(f"{index} names the part {shown(name)}, which does not lie beside it; do not trust it")
        wanted.setdefault(name, set()).add(tensor)
    if len(wanted) > _MAX_SHARDS:
        raise WeightsError(f"{index} names {len(wanted)} parts, {_MAX_SHARDS} are the most")
    missing = [name for name in sorted(wanted) if not (index.parent / name).is_file()]
    if missing:
        raise WeightsError(f"{index.parent} lacks the parts {', '.join(missing[:8])}; download them too")
    return Place(index, {index.parent / name: frozenset(names) for name, names in sorted(wanted.items())})
