"""Photographed ground: fetched from the very file that is recorded, and damaged as any other ground."""

from __future__ import annotations

import hashlib
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.synthetic import render
from anomalyclip.data.synthetic.photographs import Photograph, families
from anomalyclip.errors import ConfigError
from anomalyclip.pretraining import photographs


def wheel_of(folder: Path, name: str, members: dict[str, bytes]) -> Path:
    """What pip takes for a package's wheel."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    with ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def test_photographs_come_from_the_recorded_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    members = {"surfaces/pictures/plank.png": b"a plank", "surfaces/pictures/more/sheet.png": b"a sheet"}
    wheel = wheel_of(tmp_path, "surfaces", members)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    shown = (("surfaces", "wood", "surface hard", "plank"), ("surfaces", "metal", "surface metal", "more/sheet"))
    monkeypatch.setattr(photographs, "_SHOWN", shown)

    monkeypatch.setattr(photographs, "_PACKAGES", {"surfaces==1.0": ("0" * 64, "surfaces/pictures")})
    with pytest.raises(ConfigError, match=r"surfaces-1\.0-py3-none-any\.whl is not the file"):
        photographs.gathered(tmp_path / "kept")
    assert not list(tmp_path.glob("kept/*"))

    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    monkeypatch.setattr(photographs, "_PACKAGES", {"surfaces==1.0": (digest, "surfaces/pictures")})
    got = photographs.gathered(tmp_path / "kept")
    assert [(one.subject, one.path.read_bytes()) for one in got] == [("wood", b"a plank"), ("metal", b"a sheet")]
    wheel.unlink()
    assert photographs.gathered(tmp_path / "kept") == got  # what lies there is not fetched again
    got[0].path.unlink()
    with pytest.raises(ConfigError, match=r"pip could not download surfaces==1\.0"):
        photographs.gathered(tmp_path / "kept")


def test_every_photograph_has_a_name_and_traits_of_its_own() -> None:
    rows = [(package, name) for package, _, _, names in photographs._SHOWN for name in names.split()]
    assert len(rows) == len(set(rows)) == 52
    assert {package for package, _ in rows} == {name.partition("==")[0] for name in photographs._PACKAGES}
    assert all("surface" in traits.split() for *_, traits, _ in photographs._SHOWN)


def test_a_photograph_shows_itself_and_its_defects_lie_in_it(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    grain = rng.normal(120, 25, (300, 1)) + rng.normal(0, 4, (300, 260))
    path = tmp_path / "planks.png"
    Image.fromarray(np.clip(np.repeat(grain[..., None], 3, 2), 0, 255).astype(np.uint8)).save(path)
    family = families([Photograph(path, "wood", "surface hard wood grain")])
    for seed in range(6):
        good = render(seed, 128, anomalous=False, families=family, world=5)
        bad = render(seed, 128, anomalous=True, families=family, world=5)
        assert good.subject == "wood"
        assert good.family == "photograph-planks"
        assert not good.labels.any()
        assert bad.labels.any()
        change = np.abs(good.image.astype(int) - bad.image).mean(axis=2)
        assert (
            change[bad.labels > 0].mean() > 3 * change[bad.labels == 0].mean()
        )  # the same scene but for what befell it
    assert np.array_equal(good.image, render(5, 128, anomalous=False, families=family, world=5).image)
