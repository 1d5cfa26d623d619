"""Options that contradict each other are refused with their names."""

from __future__ import annotations

from typing import Any

import pytest

from anomalyclip.cli._checks import check_output
from anomalyclip.cli._declared import Given
from anomalyclip.errors import ConfigError
from anomalyclip.settings import settings_of


def given(verb: str, **values: Any) -> Given:
    return Given(verb, {name: setting.default for name, setting in settings_of(verb).items()} | values)


def test_options_that_write_need_a_folder() -> None:
    check_output(given("detect", inputs=("x",)), "maps")
    check_output(given("detect", inputs=("x",), maps="none"), "maps")
    check_output(given("detect", inputs=("x",), maps="tiff", output="out"), "maps")
    with pytest.raises(ConfigError, match=r"--maps, --resume needs a folder.*--output"):
        check_output(given("detect", inputs=("x",), maps="tiff", resume=True), "maps")
    with pytest.raises(ConfigError, match="only one"):
        check_output(given("detect", inputs=("x",), output="out", resume=True, overwrite=True))


def test_what_was_given_is_read_by_name_and_by_part() -> None:
    found = given("detect", inputs=("x",), layers="6, 12", map_weight=0.5, scales="0.5,1")
    assert (found.map_weight, found.layers, found.sigma) == (0.5, (6, 12), None)
    assert found.part("opening")["layers"] == (6, 12)
    assert found.part("opening")["device"] == "auto"
    assert found.part("layout")["scales"] == (0.5, 1.0)
    assert "tile" not in found.part("opening")
    with pytest.raises(AttributeError, match="treshold"):
        _ = found.treshold
