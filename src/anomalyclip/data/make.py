"""The synthetic auxiliary set on disk: rendered pictures with masks, in MVTec's layout and with meta.json."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomalyclip.data.dataset import GOOD, Dataset
from anomalyclip.errors import ConfigError, InputError, OutputError
from anomalyclip.io.names import printable

if TYPE_CHECKING:
    from anomalyclip.data.synthetic import Sample

SETTINGS = "made.json"
_MAX_IMAGES = 1_000_000
_FORMATS = {".png": "PNG", ".jpg": "JPEG", ".bmp": "BMP"}


def make_dataset(
    out: Path,
    images: int = 1000,
    *,
    size: int = 256,
    seed: int = 0,
    families: Sequence[str] | None = None,
    resume: bool = False,
    advance: Callable[[], object] = lambda: None,
) -> Dataset:
    """Render `images` pictures, half of them with defects, the families in turn; picture i depends on (seed, i) alone.

    out: a new or empty folder, or with `resume` one that an interrupted call with the same settings left (`images` may
    grow): what is there already is kept. Every file appears whole or not at all.

    Raises ConfigError for a value out of range or an unknown family, InputError for a folder that holds something else,
    OutputError if a file cannot be written.
    """
    from anomalyclip.data.meta import write_meta
    from anomalyclip.data.opening import open_dataset
    from anomalyclip.data.synthetic import FAMILIES
    from anomalyclip.data.synthetic.catalogue import WORLD, inhabitants

    names = tuple(dict.fromkeys(families or (family.name for family in inhabitants(WORLD))))
    unknown = [name for name in names if name not in FAMILIES]
    if unknown:
        raise ConfigError(f"unknown families {', '.join(unknown)}; expected some of {', '.join(FAMILIES)}")
    check_numbers(size, seed, (images, 2, _MAX_IMAGES, "images"))
    claim_folder(out, {"size": size, "seed": seed, "families": list(names)}, resume)
    done = {path.stem for path in out.glob("*/test/*/*.png")}
    for index in range(images):
        if _stem(index) not in done:
            _draw(out, index, names[index // 2 % len(names)], size, seed)
        advance()
    dataset = open_dataset(out, name=out.resolve().name, use_meta=False)
    write_meta(out / "meta.json", dataset)
    return dataset


def check_numbers(size: int, seed: int, *more: tuple[int, int, int, str]) -> None:
    """Raises ConfigError for a size or seed out of range, or one `more`: (value, lowest, highest, what)."""
    for value, low, high, what in (*more, (size, 32, 1024, "size"), (seed, 0, 2**63, "seed")):
        if not low <= value <= high:
            raise ConfigError(f"{what} {value} is out of range: expected {low} to {high}")


def _stem(index: int) -> str:
    return f"{index:06d}"


def claim_folder(out: Path, settings: dict[str, Any], resume: bool) -> None:
    """Make a new folder for renders and record what makes them in SETTINGS; or, resuming, see that it is the same.

    Raises OutputError or InputError as `make_dataset`.
    """
    from anomalyclip.io.atomic import output_error, sweep, write_bytes

    try:
        out.mkdir(parents=True, exist_ok=True)
        empty = not any(out.iterdir())
    except OSError as error:
        raise output_error(out, error) from error
    record = out / SETTINGS
    if not empty and not resume:
        raise OutputError(f"{printable(out)} is not empty; choose a new folder, or add --resume to continue in it")
    if not empty:
        sweep(out, "**/*")
        try:
            before = json.loads(record.read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{printable(out)} holds no {SETTINGS} of an earlier run; choose a new folder") from error
        if before != settings:
            raise InputError(f"{printable(record)} says {before}, now {settings}; give the same options to resume")
    write_bytes(record, json.dumps(settings).encode())


def _draw(out: Path, index: int, family: str, size: int, seed: int) -> None:
    from anomalyclip.data.synthetic import render

    anomalous = index % 2 == 1
    sample = render((seed << 32) | index, size, anomalous=anomalous, families=[family])
    kinds = {region.kind for region in sample.regions}
    kind = GOOD if not anomalous else kinds.pop() if len(kinds) == 1 else "combined"
    mask = out / family / "ground_truth" / kind / f"{_stem(index)}_mask.png" if anomalous else None
    save_render(sample, out / family / "test" / kind / f"{_stem(index)}.png", mask)


def save_render(sample: Sample, image: Path, mask: Path | None) -> None:
    """Write a render, and its mask (0 and 255) where one is wanted, in the formats of their suffixes.

    The mask comes first: a picture on disk is a finished one. Raises OutputError.
    """
    import numpy as np
    from PIL import Image

    from anomalyclip.io.atomic import atomic_write, output_error

    targets = [(image, sample.image)]
    if mask is not None:
        targets.insert(0, (mask, (np.asarray(sample.labels) > 0).astype(np.uint8) * 255))
    for path, pixels in targets:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(path, error) from error
        with atomic_write(path) as temporary:
            Image.fromarray(pixels).save(temporary, format=_FORMATS[path.suffix.lower()], quality=95)
