"""A worker's rows of files of several pictures: one each, under their input's number, kept or made again whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.detect.conftest import BrightnessModel

from anomalyclip.cluster.listing import Source, list_sources
from anomalyclip.cluster.manifest import Block
from anomalyclip.cluster.rows import decode_rows
from anomalyclip.cluster.store import Store
from anomalyclip.cluster.worker import Plan, Worker
from anomalyclip.detect import Provenance


def stack(path: Path, *levels: int) -> str:
    pictures = [Image.new("L", (8, 6), level) for level in levels]
    pictures[0].save(path, save_all=True, append_images=pictures[1:])
    return str(path)


@pytest.fixture
def worker(tmp_path: Path) -> Worker:
    made = Worker(Plan(Store(str(tmp_path / "out")), {}))
    made.detector = BrightnessModel()
    made.provenance = Provenance("stub", "none", {})
    return made


def rows(worker: Worker, block: Block) -> list[dict[str, Any]]:
    return decode_rows(worker.plan.store.read(block.file))


def test_rows_of_pictures(worker: Worker, tmp_path: Path) -> None:
    paths = [stack(tmp_path / "a.tif", 51, 102, 204), stack(tmp_path / "b.png", 51), stack(tmp_path / "c.gif", 0, 255)]
    block = Block(0, 100, tuple(Source(path) for path in [*paths, f"{paths[0]}#frame=2"]))
    for careful in (False, True):
        receipt = worker.score(block, careful=careful)
        assert (receipt.rows, receipt.failed) == (4, 0)
        found = [(row["input"], row["frame"], round(row["score"] * 255)) for row in rows(worker, block)]
        stack_rows = [(100, 0, 51), (100, 1, 102), (100, 2, 204)]
        assert found == [*stack_rows, (101, None, 51), (102, 0, 0), (102, 1, 255), (103, 2, 204)]
        assert rows(worker, block)[1]["path"] == f"{paths[0]}#frame=1"


def test_a_replaced_file_is_scored_again_with_all_its_pictures(worker: Worker, tmp_path: Path) -> None:
    paths = [stack(tmp_path / "a.tif", 51, 102), stack(tmp_path / "b.tif", 0, 204)]
    block = Block(0, 0, tuple(map(Source, paths)))
    worker.score(block)
    stack(tmp_path / "a.tif", 255, 0, 255)
    assert list(worker._kept(block)) == [1]
    worker.score(block, retry=True)
    assert [(row["input"], row["frame"]) for row in rows(worker, block)] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]


def test_a_named_picture_stays_named(tmp_path: Path) -> None:
    path = stack(tmp_path / "a.tif", 51, 102)
    assert [source.path for source in list_sources([f"{path}#frame=1"])] == [f"{path}#frame=1"]


def test_what_kills_its_decoder_costs_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A BMP of this size ends the process that decodes it, and only there (`tests/io/faults`)."""
    faults = Path(__file__).parents[1] / "io/faults"
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, [str(faults), os.environ.get("PYTHONPATH")])))
    monkeypatch.setattr(Plan, "open_detector", lambda plan: BrightnessModel())
    monkeypatch.setattr(
        BrightnessModel, "provenance", lambda model: {"model": "stub", "prompts": "none", "settings": {}}
    )
    monkeypatch.setattr(BrightnessModel, "check", lambda model, geometry: None)
    for name, size in (("deadly.bmp", (97, 89)), ("good.bmp", (8, 6))):
        Image.new("RGB", size, (51, 51, 51)).save(tmp_path / name)
    worker = Worker(Plan(Store(str(tmp_path / "out")), {}))
    try:
        worker.start()
        block = Block(0, 0, tuple(Source(str(tmp_path / name)) for name in ("deadly.bmp", "good.bmp")))
        receipt = worker.score(block)
    finally:
        worker._apart.close()
    assert (receipt.rows, receipt.failed) == (2, 1)
    assert "SIGSEGV" in rows(worker, block)[0]["error"]
    assert round(rows(worker, block)[1]["score"] * 255) == 51
