"""What a system cannot bound of the processes that decode is told at start, by every verb that has `--isolate`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.cli import main
from anomalyclip.io import isolation

pytest.importorskip("onnxruntime")  # which asks for the system, too, when it is imported, and finds no such Windows
MODEL = ("--image-size", "96", "--offline")
VERBS: dict[str, Callable[[Path, Path], list[object]]] = {
    "detect": lambda root, out: ["detect", root / "part/test/good", "-o", out],
    "watch": lambda root, out: [
        "watch",
        root / "part/test/good",
        "-o",
        out,
        "--once",
        "--settle",
        "0",
        "--threshold",
        "0.5",
    ],
    "calibrate": lambda root, out: ["calibrate", root / "part/test/good", "-o", out / "line.json", "--fpr", "0.5"],
    "evaluate": lambda root, out: ["evaluate", root, "--missing-masks", "image-only", "-o", out],
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for place, names in (("part/test/good", "abcd"), ("part/test/bad", "xy"), ("part/train/good", "t")):
        (root / place).mkdir(parents=True)
        for number, name in enumerate(names):
            Image.new("RGB", (40 + number, 30 + len(names)), (9, 9, 200)).save(root / place / f"{name}.png")
    return root


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize(
    ("system", "options", "told"),
    [
        ("Windows", [], "--isolate: Windows cannot bound the memory and CPU time of the process that decodes"),
        ("Windows", ["--isolate", "off"], None),
    ],
)
def test_told_at_start(
    verb: str, system: str, options: list[str], told: str | None, data: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "out").mkdir()
    monkeypatch.setattr(isolation.platform, "system", lambda: system)
    with pytest.raises(SystemExit) as end:
        main([str(one) for one in [*VERBS[verb](data, tmp_path / "out"), *MODEL, *options]])
    assert end.value.code in (0, None)
    said = " ".join(capfd.readouterr().err.split())
    assert (told in said) if told else ("cannot bound" not in said)
