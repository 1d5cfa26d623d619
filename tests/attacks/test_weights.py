"""Hostile weights end in one line, at once."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import pytest

ATTACKS = Path(__file__).parents[2] / "attacks"
ENDS = {
    "weights_header_too_large": "a header of 1099511627776 bytes",
    "weights_overlapping_tensors": "overlaps another tensor",
    "weights_name_twice": "'visual.proj' is there twice",
    "weights_absurd_shape": "has 0 bytes",
    "weights_outside_file": "leaves the file",
    "weights_deep_header": "nested too deeply",
    "weights_block_number": "block 99999999 and none of number 0",
    "weights_absurd_config": "vision width must be a whole number in 1..32768",
    "weights_deep_config": "nested too deeply",
    "weights_zip_bomb": "compressed, or too large",
    "weights_that_run": "loading it would run",
    "weights_views_of_nothing": "is no plain tensor with all its numbers",
    "weights_module_maze": "holds no CLIP image encoder",
    "weights_parts_elsewhere": "does not lie beside it",
    "weights_not_a_number": "holds NaN or infinity",
    "weights_many_tensors": "more than 100,000 tensors",
    "weights_names_for_terminals": r"found \x1b[1A\x1b[8mharmless\nerror: no such file \u202e)",
}


@pytest.fixture
def attack(monkeypatch):
    monkeypatch.syspath_prepend(str(ATTACKS))
    return importlib.import_module


@pytest.mark.parametrize("name", ENDS)
def test_weights(attack, tmp_path, name):
    path, end_of = attack(name).make(tmp_path), attack("weights_end").end_of
    start = time.process_time()
    end = end_of(path)
    assert end.startswith("refused: ")
    assert ENDS[name] in end
    assert end.isprintable()
    assert len(end) < 1000
    assert time.process_time() - start < 5
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("layers", ["12", None, 3.5, True, [1], {"a": 1}, -1, 10**40, float("nan")])
def test_mistyped_configuration(attack, tmp_path, layers):
    module = attack("weights_absurd_config")
    end = attack("weights_end").end_of(module.make(tmp_path, layers))
    assert "clip_config is damaged" in end


@pytest.mark.parametrize("name", ["/etc/passwd", "..", "a/b.safetensors", "..\\x", ""])
def test_parts_elsewhere(attack, tmp_path, name):
    end = attack("weights_end").end_of(attack("weights_parts_elsewhere").make(tmp_path, name))
    assert "does not lie beside it" in end


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), float("nan")])
@pytest.mark.parametrize("name", ["visual.proj", "ln_final.bias", "visual.stem.proj.weight", "logit_scale"])
def test_not_a_number_in_any_tensor(attack, tmp_path, name, value):
    end = attack("weights_end").end_of(attack("weights_not_a_number").make(tmp_path, value, name))
    assert f"{name} holds NaN or infinity" in end
