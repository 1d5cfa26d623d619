"""The command on a random tiny model: every part runs, the files say the same, bad calls are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomalyclip.bench import models, processes
from anomalyclip.bench.files import write_bench
from anomalyclip.bench.processes import measure_detect
from anomalyclip.bench.variants import VARIANTS, parse_variants
from anomalyclip.cli import main
from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.errors import ConfigError
from anomalyclip.native import why_not
from anomalyclip.native.compile import SWITCH

pytestmark = pytest.mark.usefixtures("small_product")
TINY = CLIPConfig(16, VisionConfig(32, 8, 32, 3, 2), TextConfig(16, 600, 16, 1, 2))


@pytest.fixture
def architecture(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(models.PRESETS, "tiny", TINY)
    return "random:tiny"


def test_every_part_is_measured(architecture: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call = ["bench", "--model", architecture, "--variants", "reference,torch", "--rounds", "2", "--renders", "4"]
    with pytest.raises(SystemExit) as ended:
        main([*call, "--batch", "1,2", "--image-size", "32,48", "--threads", "1", "--output", str(tmp_path / "out")])
    assert ended.value.code == 0
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    assert record["schema"] == 1
    assert record["plan"]["variants"] == ["reference", "torch"]
    assert record["model"]["model"] == architecture
    assert {"processor", "cores", "packages", "time"} <= set(record["machine"])
    assert [row["image_size"] for row in record["flops"]] == [32, 48]
    assert len(record["speed"]) == 2 * 2 * 2  # variants, batches, sizes
    for row in record["speed"]:
        assert 0 < row["q1_s"] <= row["median_s"] <= row["q3_s"]
        assert row["images_per_s"] == pytest.approx(row["batch"] / row["median_s"])
        assert (row["vs_reference"] == 1) or row["variant"] == "torch"
        assert 0 < row["ceiling_share"] < 1.5
    assert {row["image_size"] for row in record["operators"]} == {32, 48}
    for row in record["drift"]:
        assert row["images"] == 4
        assert row["map_change"] < 1e-5
    shown = capsys.readouterr().out
    assert shown == (tmp_path / "out" / "bench.md").read_text()
    assert "| torch fp32 | 48 | 1 | 2 |" in shown
    assert (tmp_path / "out" / "bench.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--variants", "tensorrt"], "tensorrt"),
        (["--variants", ","], "expected some of reference"),
        (["--batch", "1,x"], "--batch '1,x'"),
        (["--threads", "0"], "--threads '0'"),
        (["--detect-images", "1"], "gives no rate"),
        (["--model", "random:vit-xxl"], "vit-xxl"),
        (["--data", "nowhere"], "no data set"),
    ],
)
def test_bad_calls_say_what_is_wrong(options: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["bench", *options])
    assert ended.value.code == 2
    assert told in " ".join(capsys.readouterr().err.split())


def test_variants_keep_their_order_and_lose_doubles() -> None:
    assert [one.name for one in parse_variants("torch, reference,torch")] == ["torch", "reference"]
    assert {"reference", "torch"} <= {one.name for one in parse_variants(None)}
    assert set(VARIANTS) == {
        "reference",
        "torch",
        "onnx",
        "openvino",
        "onnx-int8",
        "openvino-int8",
        "native-int8",
        "native",
    }
    assert [one.name for one in parse_variants("native")] == ["native"]
    assert "native" not in [one.name for one in parse_variants(None, "vit-b-16")]
    with pytest.raises(ConfigError, match="native runs pocket alone"):
        parse_variants("native", "random:vit-b-16")


@pytest.mark.skipif(why_not("fp32") is not None, reason=str(why_not("fp32")))
def test_pocket_on_our_kernels_differs_by_rounding_alone(tmp_path: Path) -> None:
    call = ["bench", "--variants", "torch,native", "--rounds", "1", "--renders", "2", "--threads", "1"]
    with pytest.raises(SystemExit) as ended:
        main([*call, "--image-size", "96", "--detect-images", "2", "--output", str(tmp_path / "out")])
    assert ended.value.code == 0
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    (drift,) = (row for row in record["drift"] if row["variant"] == "native")
    assert 0 < drift["map_change"] < 1e-4
    assert {row["variant"] for row in record["detect"]} == {"torch", "native"}


@pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
def test_our_kernels_are_measured_beside_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = CLIPConfig(16, VisionConfig(32, 8, 64, 3, 2), TextConfig(16, 600, 16, 1, 2))
    monkeypatch.setitem(models.PRESETS, "wide", wide)
    call = ["bench", "--model", "random:wide", "--variants", "torch,native-int8", "--rounds", "1", "--renders", "4"]
    with pytest.raises(SystemExit) as ended:
        main([*call, "--threads", "1", "--output", str(tmp_path / "out")])
    assert ended.value.code == 0
    record = json.loads((tmp_path / "out" / "bench.json").read_text())
    (drift,) = (row for row in record["drift"] if row["variant"] == "native-int8")
    assert 1e-6 < drift["map_change"] < 0.1  # the model that both share was left whole: torch's row is not an error
    assert drift["map_correlation"] > 0.9
    assert "our kernels, int8" in capsys.readouterr().out


def test_what_is_missing_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "0")
    assert "native-int8" not in [one.name for one in parse_variants(None)]
    with pytest.raises(ConfigError, match=f"native-int8 cannot run here: .*unset {SWITCH}"):
        parse_variants("torch,native-int8")


def test_undefined_figures_are_null(tmp_path: Path) -> None:
    row = {"variant": "torch", "image_size": 8, "threads": 1, "batch": 1, "images_per_s": 1.0, "vs_reference": None}
    row |= {
        "median_s": 1.0,
        "q1_s": 1.0,
        "q3_s": 1.0,
        "cpu_s": 1.0,
        "vs_reference_cpu": None,
        "ceiling_share": float("nan"),
    }
    machine = {"processor": "p", "cores": 1, "instructions": "i", "time": "t", "packages": {"torch": "2"}}
    record = {"plan": {"model": "m"}, "machine": machine, "speed": [row]}
    record |= {part: [] for part in ("flops", "ceiling", "operators", "drift", "detect")}
    write_bench(tmp_path, record)
    assert json.loads((tmp_path / "bench.json").read_text())["speed"][0]["ceiling_share"] is None
    assert "of the ceiling" not in (tmp_path / "bench.md").read_text()


def test_the_command_is_run_as_people_run_it() -> None:
    (row,) = measure_detect({"torch": ["--model", "pocket"]}, 2, threads=1, runs=1)
    assert row.images == 2
    assert min(row.total, row.first) > 0.2
    assert 100 < row.peak_mb < 3000


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"ended with 2: .*nothing here"):
        processes.run_detect(tmp_path / "nothing here", ())
