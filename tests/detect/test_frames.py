"""A row per picture of a file of several: scored, named, continued, and never mixed with a file of such a name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from tests.detect.conftest import BrightnessModel

from anomalyclip.detect import ImageFiles, OutputFolder, Provenance, detect_stream, iter_inputs, survey_inputs
from anomalyclip.detect.journal import read_rows
from anomalyclip.errors import InputError
from anomalyclip.io import frames as limits

LEVELS = (0, 51, 102, 204)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """stack.tif of four levels, the same as a GIF of two, a PNG, and a PNG that is called like a frame."""
    place = tmp_path / "in"
    place.mkdir()
    pictures = [np.full((8, 6), level, np.uint8) for level in LEVELS]
    tifffile.imwrite(place / "stack.tif", np.stack(pictures), photometric="minisblack")
    gif = [Image.fromarray(picture) for picture in pictures[2:]]
    gif[0].save(place / "two.gif", save_all=True, append_images=gif[1:])
    Image.fromarray(pictures[1]).save(place / "one.png")
    Image.fromarray(pictures[3]).save(place / "stack.tif#frame=1", format="PNG")
    return place


def run(model: BrightnessModel, output: Path, provenance: Provenance, *inputs: str, mode: str = "new") -> list[str]:
    """Detect as the command does; the paths that were scored."""
    scored = []
    with OutputFolder(output, mode) as out:  # type: ignore[arg-type]
        out.begin(provenance, files={}, cwd=None)
        items = (item for item in iter_inputs(inputs, names=out.names) if not out.is_done(item))
        for result in detect_stream(model, items, sink=ImageFiles(output), identify=True):
            out.append(result)
            scored.append(result.item.path)
    return scored


def test_a_row_per_picture_each_with_its_files(folder, model, tmp_path, provenance):
    run(model, tmp_path / "out", provenance, str(folder))
    rows = {row["path"].removeprefix(f"{folder}/"): row for _, row in read_rows(tmp_path / "out/results.jsonl")}
    expected = {f"stack.tif#frame={n}": LEVELS[n] for n in (0, 2, 3)}
    expected |= {"two.gif#frame=0": 102, "two.gif#frame=1": 204, "one.png": 51}
    assert not [row["error"] for row in rows.values() if row["error"]]
    found = {path: round(row["score"] * 255) for path, row in rows.items() if path != "stack.tif#frame=1"}
    assert found == expected
    twins = [row for _, row in read_rows(tmp_path / "out/results.jsonl") if row["path"].endswith("stack.tif#frame=1")]
    assert sorted((row["frame"], round(row["score"] * 255)) for row in twins if row["frame"] is not None) == [(1, 51)]
    assert [round(row["score"] * 255) for row in twins if row["frame"] is None] == [204]
    maps = {path.name for path in (tmp_path / "out/maps").iterdir()}
    assert {"stack-000000.tiff", "stack-000003.tiff", "two-000001.tiff", "one.tiff"} <= maps
    assert len(maps) == 8


def test_a_run_is_continued_picture_by_picture(folder, model, tmp_path, provenance):
    everything = run(model, tmp_path / "out", provenance, str(folder))
    assert len(everything) == 8
    journal = tmp_path / "out/results.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    left_out = [line for line in lines if b'"frame": 2' in line]
    journal.write_bytes(b"".join(line for line in lines if line not in left_out))
    assert run(model, tmp_path / "out", provenance, str(folder), mode="resume") == [f"{folder}/stack.tif#frame=2"]
    assert run(model, tmp_path / "out", provenance, str(folder), mode="resume") == []
    tifffile.imwrite(folder / "stack.tif", np.zeros((2, 8, 6), np.uint8), photometric="minisblack")
    again = run(model, tmp_path / "out", provenance, str(folder), mode="resume")
    assert again == [f"{folder}/stack.tif#frame={n}" for n in range(2)]


def paths(*inputs: str, frames: int | None = None) -> list[str]:
    return [item.path for item in iter_inputs(inputs, frames=frames)]


def test_how_many_and_which(folder, monkeypatch):
    stack = str(folder / "stack.tif")
    assert paths(stack, frames=1) == [f"{stack}#frame=0"]
    assert paths(stack, frames=2) == [f"{stack}#frame=0", f"{stack}#frame=1"]
    assert len(paths(stack, frames=9)) == 4
    assert paths(f"{stack}#frame=3") == [f"{stack}#frame=3"]
    assert paths(f"{stack}#frame=3", f"{stack}#frame=3", stack)[:2] == [f"{stack}#frame=3", f"{stack}#frame=0"]
    assert survey_inputs([stack], frames=3) == 3
    with pytest.raises(InputError, match="no such file"):
        survey_inputs([f"{folder}/other.tif#frame=0"])
    monkeypatch.setattr(limits, "DEFAULT_MAX_FRAMES", 3)
    items = list(iter_inputs([stack]))
    assert [item.frame for item in items] == [0, 1, 2, None]
    assert "4 pictures; the first 3 were taken: --frames 4" in str(items[3].problem)


def test_a_picture_that_is_not_there_fails_in_its_own_row(folder, model):
    inputs = [f"{folder}/stack.tif#frame=7", f"{folder}/one.png"]
    first, second = detect_stream(model, iter_inputs(inputs))
    assert first.error == "it has no picture 7; it holds 4, counted from 0"
    assert second.error is None
