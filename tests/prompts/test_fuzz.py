"""Hostile prompt files: our own error or a set of prompts, soon; nothing in them is ever run."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomalyclip.errors import AnomalyClipError
from anomalyclip.prompts import load_prompts

_SUFFIXES = (".pth", ".safetensors")


@pytest.fixture(scope="module")
def seeds(golden_folder: Path) -> dict[str, bytes]:
    return {
        ".pth": (golden_folder / "epoch_1.pth").read_bytes(),
        ".safetensors": (golden_folder / "prompt_learner.safetensors").read_bytes(),
    }


def _load(folder: Path, suffix: str, data: bytes) -> None:
    path = folder / f"prompts{suffix}"
    path.write_bytes(data)
    message = None
    try:
        load_prompts(path)
    except AnomalyClipError as error:
        message = str(error)
    assert message is None or str(path) in message


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(_SUFFIXES), data=st.binary(max_size=400))
def test_any_bytes(suffix: str, data: bytes, tmp_path: Path) -> None:
    _load(tmp_path, suffix, data)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suffix=st.sampled_from(_SUFFIXES), data=st.data())
def test_damaged_files(suffix: str, data: st.DataObject, seeds: dict[str, bytes], tmp_path: Path) -> None:
    damaged = bytearray(seeds[suffix])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.one_of(st.integers(0, 900), st.integers(0, len(damaged))))
        if data.draw(st.booleans()):
            piece = data.draw(st.binary(min_size=1, max_size=8))
            damaged[at : at + len(piece)] = piece
        else:
            del damaged[at : at + data.draw(st.integers(1, 5000))]
    _load(tmp_path, suffix, bytes(damaged))


class _Evil:
    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self):
        return (Path.touch, (self.target,))


def test_a_pickle_with_a_payload_is_refused_and_not_run(seeds: dict[str, bytes], tmp_path: Path) -> None:
    payload, target = io.BytesIO(), tmp_path / "ran"
    with zipfile.ZipFile(io.BytesIO(seeds[".pth"])) as good, zipfile.ZipFile(payload, "w") as bad:
        for name in good.namelist():
            evil = name.endswith("data.pkl")
            bad.writestr(name, pickle.dumps({"prompt_learner": _Evil(target)}) if evil else good.read(name))
    path = tmp_path / "evil.pth"
    path.write_bytes(payload.getvalue())
    with pytest.raises(AnomalyClipError):
        load_prompts(path)
    assert not target.exists()
