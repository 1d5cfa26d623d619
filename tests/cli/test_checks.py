"""Option values: each refusal names the option, the value and the range."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from anomalyclip.cli._checks import RANGES, check_device, check_output, check_ranges, parse_layers
from anomalyclip.errors import ConfigError


@pytest.mark.parametrize("option", RANGES)
def test_every_range_holds_its_ends_and_nothing_beyond(option: str) -> None:
    low, high, _ = RANGES[option]
    check_ranges({option: low})
    check_ranges({option: high})
    check_ranges({option: None})
    for value in (low - 0.001, high * 1.01 + 0.001, math.nan, math.inf):
        with pytest.raises(ConfigError, match=rf"{option} .* from {low:g} to"):
            check_ranges({option: value})


@pytest.mark.parametrize("text", ["", "6,", "a", "0", "-1", "1.5", "6;12", "٣", "1 2"])
def test_bad_layers(text: str) -> None:
    with pytest.raises(ConfigError, match="--layers"):
        parse_layers(text)


def test_layers() -> None:
    assert parse_layers(None) is None
    assert parse_layers("6, 12,24") == (6, 12, 24)
    with pytest.raises(ConfigError, match="twice"):
        parse_layers("6,6")


def test_devices() -> None:
    assert [check_device(d) for d in ("auto", "cpu", "cuda", "cuda:1", "mps")] == [
        "auto",
        "cpu",
        "cuda",
        "cuda:1",
        "mps",
    ]
    for device in ("gpu", "cuda:", "cuda:x", "CPU"):
        with pytest.raises(ConfigError, match=device):
            check_device(device)


def test_options_that_write_need_a_folder() -> None:
    check_output(None, False, [])
    check_output(Path("out"), False, ["--maps"])
    with pytest.raises(ConfigError, match=r"--maps, --resume needs a folder.*--output"):
        check_output(None, False, ["--maps", "--resume"])
    with pytest.raises(ConfigError, match="only one"):
        check_output(Path("out"), True, [])
