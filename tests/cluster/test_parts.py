"""The parts that need no cluster: who came before, what is listed, blocks, rows, files."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

import anomalyclip.cluster.seen as seen
from anomalyclip.cluster.listing import Source, check_sources, list_sources
from anomalyclip.cluster.manifest import BLOCKS_PER_PART, Manifest
from anomalyclip.cluster.places import open_place
from anomalyclip.cluster.reading import read_source
from anomalyclip.cluster.rows import REGION, SCHEMA, decode_rows, encode_rows
from anomalyclip.cluster.run import ClusterRun, Totals
from anomalyclip.cluster.store import Store
from anomalyclip.cluster.worker import Plan, Worker
from anomalyclip.detect.identity import identify
from anomalyclip.detect.result import COLUMNS, Provenance
from anomalyclip.errors import ConfigError, ImageReadError, InputError, OutputError
from anomalyclip.geometry.regions import Region
from anomalyclip.io.reading import Reading
from anomalyclip.io.scanning import PassedOver

MADE = Provenance("small", "none", {"threshold": 0.5})


def _row(number: int, path: str = "/a.png", **more: Any) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"input": number, "identity": None, "path": path, "regions": [], "model": "small", "prompts": "none"}
    return row | {"settings": {"threshold": 0.5}} | more


@given(st.lists(st.binary(max_size=2)), st.integers(1, 7))
def test_first_times_are_those_of_a_dict(names: list[bytes], chunk: int) -> None:
    usual, seen._CHUNK = seen._CHUNK, chunk
    try:
        found = list(seen.first_times((name, place) for place, name in enumerate(names)))
    finally:
        seen._CHUNK = usual
    first = {name: names.index(name) for name in names}
    assert found == list(first.items())


def test_first_times_keep_few_runs() -> None:
    names = [f"{i}".encode() for i in range(350_000)]
    random.Random(0).shuffle(names)
    assert sum(1 for _ in seen.first_times((name, None) for name in [*names, *names])) == len(names)


def test_overlapping_arguments_give_every_file_once(tmp_path: Path) -> None:
    for name in ("a.png", "b.jpg", "note.txt", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "list.txt").write_text(f"{tmp_path}/sub/c.png\n\n{tmp_path}/gone.png\n{tmp_path}/*.jpg\n")
    found = list(list_sources([f"{tmp_path}/b.*", str(tmp_path), f"@{tmp_path}/list.txt", "nowhere"]))
    assert [Path(source.path).name for source in found] == ["b.jpg", "a.png", "c.png", "gone.png", "nowhere"]
    assert found[-1].problem is not None
    assert [source.problem for source in found[:-1]] == [None] * 4


def test_the_same_through_fsspec(tmp_path: Path) -> None:
    for name in ("b.png", "a.png", "note.txt", "sub/c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    url = f"file://{tmp_path}"
    flat, deep = list(list_sources([f"{url}/"])), list(list_sources([f"{url}/"], recursive=True))
    assert [source.path for source in flat] == [f"{url}/a.png", f"{url}/b.png"]
    assert [source.path for source in deep] == [f"{url}/a.png", f"{url}/b.png", f"{url}/sub/c.png"]
    assert [source.path for source in list_sources([f"{url}/*/*.png"])] == [f"{url}/sub/c.png"]


def test_nothing_to_detect_on(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no image in this folder"):
        check_sources([str(tmp_path), f"{tmp_path}/x.png"])
    with pytest.raises(InputError, match="cannot read this list"):
        check_sources([f"@{tmp_path}/list.txt"])
    with pytest.raises(ConfigError, match="ftpx:// cannot be read here"):
        open_place("ftpx://somewhere/a.png")


def test_a_manifest_gives_back_its_inputs(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "out"))
    assert Manifest.read(store) is None
    count = 3 * BLOCKS_PER_PART + 7
    sources = [Source(f"/in/{i}\udcff.png", "gone" if i == 5 else None) for i in range(count)]
    Manifest.write(store, iter(sources), 3)
    manifest = Manifest.read(store)
    assert manifest is not None
    assert (manifest.inputs, manifest.blocks, manifest.parts) == (count, BLOCKS_PER_PART + 3, 2)
    blocks = [block for part in range(2) for block in manifest.read_blocks(part, manifest.left(part))]
    assert [source for block in blocks for source in block.sources] == sources
    assert [block.first for block in blocks] == list(range(0, count, 3))
    assert len({block.file for block in blocks}) == len(blocks)
    store.write(blocks[1].file, b"x")
    store.write(blocks[-1].file, b"x")
    assert manifest.done(0) == {1}
    assert manifest.left(1) == [BLOCKS_PER_PART, BLOCKS_PER_PART + 1]
    with pytest.raises(OutputError, match="part 2 of the manifest is missing"):
        next(manifest.read_blocks(2, [2 * BLOCKS_PER_PART]))


def test_rows_come_back_as_they_went_in() -> None:
    region = Region(box=[1, 2, 3, 4], area=9, peak=0.75, peak_xy=[2, 3], mean=0.5, centroid=[2.25, 3.5])
    rows = [
        _row(3, score=0.1234567890123, regions=[dict(region)], geometry={"views": 4, "box": [0, 0, 9, 9]}),
        _row(4, error="no such file"),
    ]
    assert decode_rows(encode_rows(rows, MADE)) == rows
    assert decode_rows(encode_rows(rows, MADE)[:-9]) == []
    assert SCHEMA.names == ["input", *COLUMNS, "identity"]
    assert {REGION.field(i).name for i in range(REGION.num_fields)} == set(Region.__required_keys__)


def test_names_that_are_no_text_are_escaped() -> None:
    (row,) = decode_rows(encode_rows([_row(0, "/caf\udce9.png")], MADE))
    assert row["path"] == "/caf\\xe9.png"


@pytest.mark.parametrize("url", [False, True])
def test_a_store_clears_only_what_is_its_own(tmp_path: Path, url: bool) -> None:
    store = Store(f"file://{tmp_path}/out" if url else str(tmp_path / "out"))
    assert store.names() == []
    assert store.read("run.json") is None
    (tmp_path / "out").mkdir()
    for name in ("run.json", "results/part=0000/block-00000000.parquet", "mine.txt"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        store.write(name, b"{}")
    (tmp_path / "out/results/.0123456789abcdef.tmp").touch()
    assert store.names("results") == ["part=0000"]
    assert store.read_json("run.json") == {}
    if not url:
        store.sweep()
        assert not list(tmp_path.rglob("*.tmp"))
    store.clear()
    assert store.names() == ["mine.txt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--engine", "ray"], "needs a place for its Parquet files"),
        (["--engine", "ray", "--output", "{out}", "--maps", "tiff"], "--maps: --engine ray writes Parquet only"),
        (["--address", "auto"], "--address is of clusters: add --engine ray"),
        (["--engine", "ray", "--output", "{out}", "--block-size", "0"], "--block-size 0 is out of range"),
        (["--engine", "ray", "--output", "{full}"], "is not from an earlier run|holds other files"),
        (["--engine", "ray", "--output", "{out}", "--address", "127.0.0.1:1"], "no Ray cluster can be reached"),
    ],
)
def test_calls_that_cannot_run(
    options: list[str], message: str, tmp_path: Path, jpeg: Callable[[int], bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    import re

    from anomalyclip.cli import main

    (tmp_path / "a.jpg").write_bytes(jpeg(0))
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").touch()
    places = {"{out}": str(tmp_path / "out"), "{full}": str(tmp_path / "full")}
    with pytest.raises(SystemExit) as ended:
        main(["detect", str(tmp_path / "a.jpg"), *(places.get(option, option) for option in options)])
    assert ended.value.code == 2
    assert re.search(message, capfd.readouterr().err)
    assert not (tmp_path / "out").exists()


def test_records_are_readable(tmp_path: Path) -> None:
    Store(str(tmp_path)).write_json("run.json", {"model": "small"})
    assert json.loads((tmp_path / "run.json").read_text()) == {"model": "small"}


def test_a_block_with_a_replaced_file_is_done_again(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for file in files:
        file.write_bytes(file.name.encode() * 9)
    store = Store(str(tmp_path / "out"))
    sources = [Source(str(file)) for file in files]
    manifest = Manifest.write(store, iter(sources), 2)
    for block in manifest.read_blocks(0, {0, 1}):
        marks = [identify(source.path) for source in block.sources]
        rows = [_row(block.first + i, identity=mark and mark.packed()) for i, mark in enumerate(marks)]
        store.write(block.file, encode_rows(rows, MADE))
    run = ClusterRun(Plan(store, {}), [str(tmp_path)], mode="resume")
    files[1].touch()
    totals = Totals()
    assert run._count_done(manifest, totals) == set()
    assert totals.done == 4
    files[3].write_bytes(b"another" * 9)
    totals = Totals()
    assert run._count_done(manifest, totals) == {1}
    assert totals.done == 2
    (block,) = manifest.read_blocks(0, {1})
    assert list(Worker(run.plan)._kept(block)) == [2], "of the block, only the replaced file is scored"


def test_folders_and_stores_tell_what_they_pass_over(tmp_path: Path) -> None:
    for name, data in (
        ("a.png", b"x"),
        ("IM1", b"\0" * 128 + b"DICM"),
        ("b.psd", b"8BPS"),
        ("n.txt", b""),
        ("N", b"x"),
    ):
        (tmp_path / name).write_bytes(data)
    for place in (str(tmp_path), f"file://{tmp_path}/"):
        passed = PassedOver()
        found = [Path(source.path).name for source in list_sources([place], passed=passed)]
        assert found == ["IM1", "a.png"]
        assert passed.record() == {"pictures": {".psd": 1}, "other_files": 2}
    manifest = Manifest.write(Store(str(tmp_path / "out")), list_sources([str(tmp_path)], passed=passed), 5, passed)
    assert Manifest.read(manifest.store) == manifest


def test_workers_that_do_not_know_of_each_other_do_not_guess(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "unit.tif", np.array([[0.1, 0.9]], np.float32))
    worker = Reading()
    for _ in range(2):  # the first picture's refusal is no agreement for the second
        with pytest.raises(ImageReadError, match="--full-scale 1"):
            read_source(str(tmp_path / "unit.tif"), worker)
    for told in (Reading(full_scale=1.0), Reading.of({"float_white": 1.0})):
        assert read_source(str(tmp_path / "unit.tif"), told).getpixel((1, 0)) == (229, 229, 229)
