"""The main job on the embedded model, without torch: detect, calibrate, watch, serve, models, data, Python."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BOUNDARY = "anomalyclip-light"
RUNNER = Path(__file__).parent / "without_torch.py"
Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("--image-size", "96")


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "results.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def plain(ok: Run, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `detect` with no options but the output makes of bad/."""
    out = tmp_path_factory.mktemp("plain") / "out"
    ok("detect", pictures / "bad", "--output", out)
    return out


def test_detect_with_no_options(plain: Path, pictures: Path) -> None:
    found = rows(plain)
    assert len(found) == 3
    assert all(0 <= row["score"] <= 1 for row in found)
    for name in ("results.csv", "report.html", "overlays/00.png", "maps/00.tiff"):
        assert (plain / name).stat().st_size > 0, name


@pytest.mark.parametrize(
    "options",
    [
        ("--image-size", "224"),
        ("--image-size", "96", "--keep-aspect"),
        ("--tile", "48", "--overlap", "0.25", *SMALL),
        ("--scales", "1,2", *SMALL),
        ("--roi", "10,10,60,50", "--threshold", "0.5", *SMALL),
        ("--runtime", "auto", *SMALL),
        ("--runtime", "onnx", *SMALL, "--threads", "1"),
        ("--sigma", "2", "--map-weight", "0", *SMALL, "--device", "cpu", "--batch-size", "2"),
    ],
    ids=lambda options: " ".join(options),
)
def test_detect_with_options(ok: Run, pictures: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    ok("detect", pictures / "bad", "--output", tmp_path / "out", "--no-overlay", *options)
    assert len(rows(tmp_path / "out")) == 3


def test_a_line_from_calibration_to_decisions(ok: Run, run: Run, pictures: Path, tmp_path: Path) -> None:
    profile = tmp_path / "line.json"
    ok("calibrate", pictures / "good", "--fpr", "0.1", "--output", profile, *SMALL)
    out = tmp_path / "out"
    ok("detect", pictures / "bad", pictures / "good", "--profile", profile, "--output", out, "--no-overlay", *SMALL)
    decided = {(Path(row["path"]).parent.name, row["decision"]) for row in rows(out)}
    assert {kind for kind, _ in decided} == {"good", "bad"}
    watched = tmp_path / "watched"
    done = run("watch", pictures / "bad", "--once", "--profile", profile, "--output", watched, *SMALL)
    assert done.returncode == 0, done.stderr[-2000:]
    expected = {row["path"]: row["score"] for row in rows(out)}
    for row in rows(watched):
        assert row["score"] == pytest.approx(expected[row["path"]], abs=1e-6)
    assert len(rows(watched)) == 3


def test_python(ok: Run, plain: Path, pictures: Path) -> None:
    code = """
import json, sys
import numpy as np
from pathlib import Path
from PIL import Image
import anomalyclip
model = anomalyclip.load("pocket")
path = sys.argv[1]
image = Image.open(path).convert("RGB")
many = model.detect([path, image, np.asarray(image)])
tiled = model.detect(path, tile=64)
decided = model.detect(path, threshold=0.0)
assert decided.decision == "anomalous" and decided.anomaly_map.dtype == np.float32
assert tiled.anomaly_map.shape == (70, 90) and tiled.overlay().size[0] >= 90
try:
    anomalyclip.load("pocket", prompts="winclip-ensemble")
except anomalyclip.AnomalyClipError as error:
    assert "anomalyclip[torch]" in str(error), error
else:
    raise AssertionError("words need the text tower")
print(json.dumps([float(one.score) for one in many]))
"""
    done = ok("-c", code, pictures / "bad" / "00.png")
    scores = json.loads(done.stdout)
    np.testing.assert_allclose(scores, rows(plain)[0]["score"], atol=1e-6)


def test_serve_answers_with_the_same_score(plain: Path, pictures: Path, surroundings: dict[str, str]) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = [sys.executable, str(RUNNER), "serve", "--port", str(port), "--offline"]
    with subprocess.Popen(line, env=surroundings, stderr=subprocess.PIPE, text=True) as server:
        try:
            start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
            body = start.encode() + (pictures / "bad" / "00.png").read_bytes() + f"\r\n--{BOUNDARY}--\r\n".encode()
            answer = json.loads(ask(server, f"http://127.0.0.1:{port}/v1/detect?threshold=0.5", body))
            assert ask(server, f"http://127.0.0.1:{port}/")
            assert ask(server, f"http://127.0.0.1:{port}/metrics")
        finally:
            server.terminate()
            _, told = server.communicate(timeout=60)
    assert server.returncode == 0, told[-2000:]
    (result,) = answer["results"]
    assert result["score"] == pytest.approx(rows(plain)[0]["score"], abs=1e-6)


def ask(server: subprocess.Popen[str], url: str, body: bytes | None = None) -> bytes:
    """The answer, as soon as somebody listens."""
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"} if body is not None else {}
    request, end = urllib.request.Request(url, body, headers), time.monotonic() + 60
    while (answer := try_once(request)) is None:
        assert server.poll() is None, server.stderr and server.stderr.read()[-2000:]
        assert time.monotonic() < end, "the server did not start within a minute"
        time.sleep(0.1)
    return answer


def try_once(request: urllib.request.Request) -> bytes | None:
    """None where nobody listens yet."""
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return bytes(reply.read())
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error
    except OSError:
        return None


def test_exports_are_read(ok: Run, pictures: Path, tmp_path: Path) -> None:
    """The export is of a random tower of two blocks for 32 pixels; `anomalyclip export` made it."""
    export = tmp_path / "export"
    shutil.copytree(Path(__file__).parent / "tiny_export", export)  # reading it leaves a note beside it
    ok("detect", pictures / "bad", "--model", export, "--tile", "48", "--output", tmp_path / "out", "--no-overlay")
    assert len(rows(tmp_path / "out")) == 3
    ok("calibrate", pictures / "good", "--model", export, "--fpr", "0.1", "--output", tmp_path / "line.json")
    code = "import sys, anomalyclip; print(anomalyclip.load(sys.argv[1]).detect(sys.argv[2]).score)"
    plain = tmp_path / "plain"
    ok("detect", pictures / "bad" / "00.png", "--model", export / "model.onnx", "--output", plain, "--no-overlay")
    score = float(ok("-c", code, export, pictures / "bad" / "00.png").stdout)
    assert score == pytest.approx(rows(plain)[0]["score"], abs=1e-6)


def test_models_and_data(ok: Run, pictures: Path, tmp_path: Path) -> None:
    assert "pocket" in ok("models", "list").stdout
    assert ok("models", "path", "pocket").stdout.strip().endswith("model.safetensors")
    ok("models", "verify", "pocket")
    ok("data", "list")
    ok("data", "info", "mvtec")
    ok("data", "make", tmp_path / "set", "--images", "4", "--size", "64")
    ok("data", "check", tmp_path / "set", "--json")
    ok("data", "meta", tmp_path / "set")


def test_evaluate(ok: Run, tmp_path: Path) -> None:
    ok("data", "make", tmp_path / "set", "--images", "4", "--size", "64")
    ok("evaluate", tmp_path / "set", *SMALL, "--output", tmp_path / "out", "--no-plots")
    told = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert "pocket" in json.dumps(told)


@pytest.mark.skipif(find_spec("elpv_dataset") is None, reason="the demo's pictures are not installed")
def test_the_demo(surroundings: dict[str, str], tmp_path: Path) -> None:
    line = [sys.executable, str(Path(__file__).parents[2] / "examples" / "solar_cells.py"), str(tmp_path / "demo"), "4"]
    done = subprocess.run(line, env=surroundings, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert json.loads((tmp_path / "demo" / "demo.json").read_text())["images"] == 4
    assert (tmp_path / "demo" / "report.html").is_file()


def test_help_and_version(ok: Run) -> None:
    assert "detect" in ok("--help").stdout
    assert ok("--version").stdout.startswith("anomalyclip ")
    for verb in ("detect", "calibrate", "watch", "serve", "models", "data", "evaluate", "train", "export", "bench"):
        assert "Usage" in ok(verb, "--help").stdout
