"""Numbers of JSON that nothing can count: refused wherever it is read, in our words, by the name of what holds them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.calibration.files import read_profiles
from anomalyclip.clip.json_fields import read_json
from anomalyclip.clip.weights import load_clip
from anomalyclip.data import open_dataset
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.json_objects import loads_once
from anomalyclip.serve.parsing import profiles_in
from anomalyclip.serve.refusals import Refused

LONG = "7" * 5000


def _weights(path: Path) -> Any:
    header = b'{"a": {"dtype": "F32", "shape": [%s], "data_offsets": [0, 4]}}' % LONG.encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(4))
    return load_clip(path)


def _profile(path: Path) -> Any:
    path.write_text(f'{{"format": {LONG}}}', encoding="ascii")
    return read_profiles(path)


def _list(path: Path) -> Any:
    path.write_text(f'{{"test": {{"a": [{{"anomaly": {LONG}}}]}}}}', encoding="ascii")
    return open_dataset(path)


def _config(path: Path) -> Any:
    path.write_text(f"[{LONG}]", encoding="ascii")
    return read_json(path)


def _body(path: Path) -> Any:
    return profiles_in(f'{{"{path.name}": {LONG}}}'.encode())


@pytest.mark.parametrize(
    ("read", "name"),
    [(_weights, "w.safetensors"), (_profile, "p.json"), (_list, "meta.json"), (_config, "c.json"), (_body, "profile")],
)
def test_refused_by_name(read: Callable[[Path], Any], name: str, tmp_path: Path) -> None:
    with pytest.raises((AnomalyClipError, Refused)) as refused:
        read(tmp_path / name)
    said = str(refused.value)
    assert name in said
    assert "7777... is a number of 5,000 digits" in said
    assert "sys." not in said
    assert "\n" not in said


@pytest.mark.parametrize("number", [0, -7, 2**64, 10**307, -(10**306)])
def test_other_numbers_are_those_of_json(number: int) -> None:
    text = f'{{"a": [{number}, 1.5, "{LONG}"]}}'
    assert loads_once(text) == json.loads(text)
