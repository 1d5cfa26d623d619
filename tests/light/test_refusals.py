"""What needs torch says so in one line with the command that brings it; nothing else touches torch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]
REMEDY = "pip install 'anomalyclip[{}]'"


@pytest.mark.parametrize(
    "line",
    [
        ("detect", "PICTURE", "--runtime", "torch"),
        ("detect", "PICTURE", "--runtime", "native"),
        ("detect", "PICTURE", "--precision", "int8"),
        ("detect", "PICTURE", "--prompts", "winclip"),
        ("detect", "PICTURE", "--prompts", "clip"),
        ("detect", "PICTURE", "--layers", "2,4"),
        ("detect", "PICTURE", "--model", "WEIGHTS"),
        ("detect", "PICTURE", "--device", "cuda"),
        ("export", "pocket", "--output", "OUT"),
        ("bench", "--output", "OUT"),
        ("train", "FOLDER", "--output", "OUT"),
        ("reproduce", "FOLDER", "--output", "OUT"),
    ],
    ids=lambda line: " ".join(line),
)
def test_one_line_with_the_remedy(run: Run, pictures: Path, tmp_path: Path, line: tuple[str, ...]) -> None:
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(b"something")
    known = {
        "PICTURE": pictures / "bad" / "00.png",
        "WEIGHTS": weights,
        "FOLDER": pictures,
        "OUT": tmp_path / "out",
    }
    done = run(*(known.get(word, word) for word in line))
    assert done.returncode == 2, done.stderr
    assert REMEDY.format("train" if line[0] == "train" else "torch") in done.stderr  # train brings torch, too
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed here: the whole suite proves it")
def test_torch_is_left_alone_where_it_is_installed(pictures: Path, tmp_path: Path) -> None:
    """The whole of detect, calibrate and watch in one process that could import it."""
    code = """
import sys
from anomalyclip.cli import main
def call(*words):
    try:
        main(list(words))
    except SystemExit as ended:
        assert not ended.code, (words, ended.code)
good, bad, out = sys.argv[1:]
call("calibrate", good, "--fpr", "0.1", "--output", out + "/line.json", "--image-size", "64", "--offline")
common = ("--profile", out + "/line.json", "--image-size", "64", "--offline")
call("detect", bad, "--output", out + "/out", *common)
call("watch", bad, "--once", "--output", out + "/watched", *common)
call("models", "list")
import anomalyclip, anomalyclip.serve
assert anomalyclip.load("pocket").detect(bad + "/00.png", tile=64).score >= 0
heavy = sorted(name for name in sys.modules if name.partition(".")[0] in ("torch", "tokenizers", "openvino"))
assert not heavy, heavy[:5]
"""
    folders = (pictures / "good", pictures / "bad", tmp_path)
    done = subprocess.run([sys.executable, "-c", code, *map(str, folders)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
