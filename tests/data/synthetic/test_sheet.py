"""Contact sheets and the command that writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anomalyclip.data.synthetic import contact_sheet, render
from anomalyclip.data.synthetic.__main__ import main


def test_pictures_and_masks_alternate() -> None:
    sheet = contact_sheet(5, 3, 48, ["wood"], True, columns=4)
    assert sheet.shape == (96, 192, 3)
    first = render(5, 48, anomalous=True, families=["wood"])
    assert np.array_equal(sheet[:48, :48], first.image)
    assert np.array_equal(sheet[:48, 48:96, 0] > 0, first.labels > 0)


def test_the_command_writes_a_png(tmp_path: Path) -> None:
    out = tmp_path / "sheet.png"
    assert main([str(out), "--count", "4", "--size", "32", "--columns", "4", "--normal"]) == 0
    with Image.open(out) as image:
        assert image.size == (128, 32)


def test_the_command_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "a.png"), "--families", "unicorn"]) == 2
    assert "unicorn" in capsys.readouterr().err
    assert main([str(tmp_path / "missing" / "a.png"), "--count", "1", "--size", "32"]) == 2
    assert "missing" in capsys.readouterr().err
