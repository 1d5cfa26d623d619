"""One run over everything that goes wrong, beside images that are fine."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from anomalyclip.io import read_map
from anomalyclip.opening import from_files

CAFE = os.fsdecode(b"caf\xe9.png")
GOOD = {
    "good.png": (64, 48), "with space.png": (64, 48), "=1+1.png": (64, 48), CAFE: (64, 48), "one.png": (1, 1),
    "cmyk.jpg": (40, 30), "sixteen.png": (40, 30), "animated.gif#frame=0": (40, 30), "animated.gif#frame=1": (40, 30),
    "sub/good.png": (64, 48),
    "good.jpg": (64, 48), "wide.png": (900, 2),
}  # fmt: skip
BAD = {
    "text.png": "not an image", "empty.png": "0 bytes", "cut.png": "truncated", "huge.png": "20000 x 20000",
    "dangling.png": "no such file", "missing.png": "no such file",
}  # fmt: skip


def _huge_png(path: Path) -> None:
    """A valid header of 20000 x 20000 grey pixels over a few bytes of data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 20000, 20000, 8, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(999))) + chunk(b"IEND", b"")
    )


def _fill(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    (folder / "sub").mkdir(parents=True)
    for name in ("good.png", "with space.png", "=1+1.png", CAFE, "sub/good.png", "good.jpg"):
        picture.save(folder / name)
    small = picture.resize((40, 30))
    Image.new("RGB", (1, 1), (9, 99, 200)).save(folder / "one.png")
    Image.new("RGB", (900, 2), (9, 99, 200)).save(folder / "wide.png")
    small.convert("CMYK").save(folder / "cmyk.jpg")
    Image.fromarray(np.asarray(small.convert("L"), dtype=np.uint16) * 257).save(folder / "sixteen.png")
    frame = small.convert("P")
    frame.save(folder / "animated.gif", save_all=True, append_images=[Image.new("P", (40, 30), 7)] * 2)
    (folder / "text.png").write_text("this is not an image")
    (folder / "empty.png").write_bytes(b"")
    (folder / "cut.png").write_bytes((folder / "good.png").read_bytes()[:2000])
    _huge_png(folder / "huge.png")
    (folder / "dangling.png").symlink_to("/nowhere/x.png")
    (folder / "folder.png").mkdir()


class Run(NamedTuple):
    process: subprocess.CompletedProcess[bytes]
    folder: Path
    output: Path
    rows: dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def everything(
    tmp_path_factory: pytest.TempPathFactory,
    run: Callable[..., subprocess.CompletedProcess[bytes]],
    rows_of: Callable[[Path], list[dict[str, Any]]],
) -> Run:
    """Named files, relative, so that names beginning with `=` stay as they are; the folder comes twice."""
    folder = tmp_path_factory.mktemp("bad input")
    _fill(folder / "in")
    given = ["=1+1.png", "missing.png", ".", "./sub/../good.png", "folder.png", "--recursive"]
    process = run(*given, "--threshold", "0.5", "--output", "out here", "--batch-size", "4", cwd=folder / "in")
    output = folder / "in/out here"
    return Run(process, folder / "in", output, {os.path.normpath(r["path"]): r for r in rows_of(output)})


def test_every_input_has_one_row_and_the_exit_code_says_that_some_failed(everything: Run) -> None:
    assert everything.process.returncode == 3, everything.process.stderr.decode()
    assert set(everything.rows) == {*GOOD, *BAD, "folder.png"}
    assert b"Traceback" not in everything.process.stderr


@pytest.mark.parametrize("name", GOOD)
def test_good_ones_are_scored(everything: Run, name: str) -> None:
    row = everything.rows[name]
    assert (row["width"], row["height"]) == GOOD[name]
    assert row["error"] is None
    assert 0 < row["score"] < 1
    assert row["decision"] == ("anomalous" if row["score"] >= 0.5 else "normal")
    assert (everything.folder / row["path"].partition("#frame=")[0]).is_file()


@pytest.mark.parametrize("name", BAD)
def test_bad_ones_say_why_on_one_line(everything: Run, name: str) -> None:
    row = everything.rows[name]
    assert BAD[name] in row["error"]
    assert "\n" not in row["error"]
    assert [row[k] for k in ("width", "height", "score", "decision", "regions")] == [None, None, None, None, []]
    assert f"failed: {row['path']}: {row['error']}" in everything.process.stdout.decode()


def test_an_empty_folder_is_named(everything: Run) -> None:
    assert "no image in this folder" in everything.rows["folder.png"]["error"]


def test_outputs_never_collide(everything: Run) -> None:
    for kind, suffix in (("overlays", ".png"), ("maps", ".tiff")):
        written = [p for p in (everything.output / kind).rglob("*") if p.is_file()]
        assert {p.suffix for p in written} == {suffix}
        assert len(written) == len(GOOD)
    good = {tuple(read_map(p).shape[::-1]) for p in (everything.output / "maps").rglob("*.tiff")}
    assert good == set(GOOD.values())


def test_numbers_are_those_of_the_python_face(everything: Run, golden_folder: Path) -> None:
    """The command line and `model.detect` are two ways to one result, also for a frame of a GIF."""
    model = from_files(golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth",
                                   layers=[2, 4, 6], image_size=70)  # fmt: skip
    for name in ("good.png", "animated.gif#frame=0", "sixteen.png", "wide.png"):
        prediction = model.detect(everything.folder / name)
        assert everything.rows[name]["score"] == pytest.approx(prediction.score, abs=1e-5)
        if name not in ("good.png", "animated.gif#frame=0"):  # whose names have several claimants, or a frame in them
            (written,) = (everything.output / "maps").rglob(f"{Path(name).stem}.tiff")
            np.testing.assert_allclose(read_map(written), prediction.anomaly_map, atol=1e-5)
    with Image.open(everything.folder / "animated.gif") as animation:
        first = animation.convert("RGB")
    assert everything.rows["animated.gif#frame=0"]["score"] == pytest.approx(model.detect(first).score, abs=1e-5)


def test_settings_say_how_the_scores_were_made(everything: Run) -> None:
    settings = everything.rows["good.png"]["settings"]
    wanted = {"image_size": 70, "layers": [2, 4, 6], "sigma": 4.0, "threshold": 0.5, "pixel_threshold": 0.5}
    assert wanted.items() <= settings.items()
    assert len(settings["weights_sha256"]) == 64


def test_the_report_holds_all(everything: Run) -> None:
    page = (everything.output / "report.html").read_text("utf-8")
    assert page.count("<article") == len(GOOD)
    assert "with space.png" in page
    assert "20000 x 20000" in page


def test_a_second_run_is_refused_and_resume_retries_what_failed(
    everything: Run, detect: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    rows_of: Callable[[Path], list[dict[str, Any]]], capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    shutil.copytree(everything.folder, tmp_path / "in", symlinks=True)
    monkeypatch.chdir(tmp_path / "in")
    output = tmp_path / "in/out here"
    given = [".", "--recursive", "--threshold", "0.5", "--output", output]
    assert detect(*given) == 2
    assert "--resume" in capsys.readouterr().err
    assert detect(*given, "--resume") == 2, "relative paths would mean other files here"
    assert "cwd" in capsys.readouterr().err
    run = (output / "run.json").read_text().replace(str(everything.folder), str(tmp_path / "in"))
    (output / "run.json").write_text(run)
    shutil.copy("good.png", "text.png")
    assert detect(*given, "--resume") == 3
    rows = rows_of(output)
    assert len(rows) == len(everything.rows)
    (mended,) = [r for r in rows if r["path"].endswith("text.png")]
    assert mended["error"] is None
    assert mended["score"] == pytest.approx(everything.rows["good.png"]["score"], abs=1e-5)
    capsys.readouterr()
    assert detect(*given, "--resume", "--sigma", "2") == 2
    assert "sigma 4.0 then, 2.0 now" in capsys.readouterr().err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_files_without_permission_fail_alone(
    detect: Callable[..., int],
    photos: Callable[..., Path],
    tmp_path: Path,
    rows_of: Callable[[Path], list[dict[str, Any]]],
) -> None:
    folder = photos(tmp_path / "in", 2)
    (folder / "0000.png").chmod(0)
    assert detect(folder, "--output", tmp_path / "out") == 3
    assert ["permission" in (row["error"] or "").lower() for row in rows_of(tmp_path / "out")] == [True, False]


def test_only_bad_images_still_make_a_report(
    detect: Callable[..., int], tmp_path: Path, rows_of: Callable[[Path], list[dict[str, Any]]]
) -> None:
    (tmp_path / "a.png").write_text("x")
    assert detect(tmp_path / "a.png", "--output", tmp_path / "out") == 3
    assert len(rows_of(tmp_path / "out")) == 1
    assert "1 failed" in (tmp_path / "out/report.html").read_text("utf-8")
