"""Writing the authors' meta.json, so that any layout becomes one that every tool of the field reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from anomalyclip.data.dataset import Dataset
from anomalyclip.data.masks import Mask, mask_name
from anomalyclip.errors import InputError
from anomalyclip.io.names import printable


def write_meta(path: Path, *splits: Dataset) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Write the splits' items to `path` atomically; paths are relative to its folder, with forward slashes.

    Returns what was written. Raises InputError for an image outside that folder, OutputError if it cannot be written.
    """
    from anomalyclip.io.atomic import write_bytes

    classes = dict.fromkeys(name for dataset in splits for name in dataset.classes)
    content: dict[str, dict[str, list[dict[str, Any]]]] = {
        split: {name: [] for name in classes} for split in ("train", "test")
    }
    folder = path.absolute().parent  # as the items' paths are
    for dataset in splits:
        for item in dataset.items:
            content[dataset.split][item.class_name].append(
                {
                    "img_path": _relative(item.image, folder),
                    "mask_path": _relative(item.mask, folder) if item.mask else "",
                    "cls_name": item.class_name,
                    "specie_name": item.kind,
                    "anomaly": item.label,
                }
            )
    write_bytes(path, json.dumps(content, indent=1).encode("ascii") + b"\n")
    return content


def _relative(file: Mask, folder: Path) -> str:
    if not isinstance(file, Path):
        raise InputError(
            f"{mask_name(file)}: meta.json names one mask file per image, and this image's truth is no such file; give "
            "the folder itself to train and evaluate, which read it"
        )
    if not file.is_relative_to(folder):
        raise InputError(f"{printable(file)} lies outside {printable(folder)}; write meta.json into a folder above it")
    return file.relative_to(folder).as_posix()
