"""--resume: what was scored is told from what lies there now, by size and times, then by content."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from anomalyclip.detect import InputItem, OutputFolder, Provenance, Result, detect_stream, iter_inputs
from anomalyclip.detect.identity import Identity, identify
from anomalyclip.detect.journal import read_rows

Png = Callable[..., Path]


def run(out: Path, folder: Path, model: object, provenance: Provenance) -> tuple[list[str], int]:
    """One start of `detect --resume`; gives what was scored, and how many of it had been replaced."""
    scored = []
    with OutputFolder(out, "resume") as target:
        target.begin(provenance, files={}, cwd=None)
        items = [item for item in iter_inputs([str(folder)], names=target.names) if not target.is_done(item)]
        for result in detect_stream(model, items, identify=True):  # type: ignore[arg-type]
            target.append(result)
            scored.append(Path(result.item.path).name)
        return scored, target.replaced


def scores(out: Path) -> dict[str, float]:
    return {Path(row["path"]).name: row["score"] for _, row in read_rows(out / "results.jsonl")}


@pytest.fixture
def done(tmp_path: Path, png: Png, model: object, provenance: Provenance) -> Path:
    for name, grey in (("a", 10), ("b", 20), ("c", 30)):
        png(f"in/{name}.png", grey)
    assert run(tmp_path / "out", tmp_path / "in", model, provenance)[0] == ["a.png", "b.png", "c.png"]
    return tmp_path


def _write_again(file: Path) -> None:
    Image.new("RGB", (8, 6), (200,) * 3).save(file)


def _move_there_with_its_date(file: Path) -> None:
    """As a camera that keeps dates: same size, same time of change."""
    before, other = file.stat(), file.with_suffix(".new")
    Image.new("RGB", (8, 6), (200,) * 3).save(other, "PNG")
    other.write_bytes(other.read_bytes().ljust(before.st_size, b"\0"))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns))
    other.replace(file)


def _link_elsewhere(file: Path) -> None:
    target = file.parent.parent / "elsewhere.png"
    Image.new("RGB", (8, 6), (200,) * 3).save(target)
    file.unlink()
    file.symlink_to(target)


def _same_size(file: Path) -> None:
    data = bytearray(file.read_bytes())
    Image.new("RGB", (8, 6), (200,) * 3).save(file)
    new = file.read_bytes()
    file.write_bytes(new.ljust(max(len(data), len(new)), b"\0"))


@pytest.mark.parametrize("replace_it", [_write_again, _move_there_with_its_date, _link_elsewhere, _same_size])
def test_a_replaced_file_is_scored_again(
    done: Path, model: object, provenance: Provenance, replace_it: Callable[[Path], None]
) -> None:
    replace_it(done / "in/b.png")
    assert run(done / "out", done / "in", model, provenance) == (["b.png"], 1)
    assert scores(done / "out") == pytest.approx({"a.png": 10 / 255, "b.png": 200 / 255, "c.png": 30 / 255})
    assert (done / "out/results.csv").read_text().count("b.png") == 1
    assert run(done / "out", done / "in", model, provenance) == ([], 0), "and then it is done"


def _touch(file: Path) -> None:
    os.utime(file)


def _copy(file: Path) -> None:
    other = file.with_suffix(".copy")
    other.write_bytes(file.read_bytes())
    other.replace(file)


@pytest.mark.parametrize("change", [_touch, _copy, lambda file: file.chmod(0o600), lambda file: file.unlink()])
def test_the_same_content_is_not_scored_again(
    done: Path, model: object, provenance: Provenance, change: Callable[[Path], None]
) -> None:
    change(done / "in/b.png")
    assert run(done / "out", done / "in", model, provenance) == ([], 0)


def test_a_file_that_changed_while_it_was_read_is_scored_again(
    done: Path, model: object, provenance: Provenance
) -> None:
    """A kill between the row and the file's identity leaves the same: a row, and no word what it scored."""
    lines = (done / "out/files.jsonl").read_bytes().splitlines(keepends=True)
    (done / "out/files.jsonl").write_bytes(lines[0] + lines[2])
    assert run(done / "out", done / "in", model, provenance) == (["b.png"], 0)
    assert run(done / "out", done / "in", model, provenance) == ([], 0)


def test_results_that_recorded_no_files_are_kept(done: Path, model: object, provenance: Provenance) -> None:
    (done / "out/files.jsonl").unlink()
    assert run(done / "out", done / "in", model, provenance) == ([], 0)


def test_what_no_file_tells_has_no_identity(tmp_path: Path, png: Png, model: object) -> None:
    file = png("a.png")
    (result,) = detect_stream(model, iter_inputs([str(file)]))  # type: ignore[arg-type]
    assert result.identity is None
    assert identify(str(tmp_path / "gone")) is None
    frame = InputItem("cam#1", "cam", b"")
    (seen,) = detect_stream(model, [frame], read=lambda _: Image.new("RGB", (4, 4)), identify=True)  # type: ignore[arg-type]
    assert (seen.error, seen.identity) == (None, None)


def test_records_of_an_identity_come_back(tmp_path: Path, png: Png) -> None:
    identity = identify(str(png("a.png")))
    assert identity is not None
    assert Identity.recorded(identity.record()) == identity == Identity.unpacked(identity.packed())
    assert len(identity.packed()) == 40
    with pytest.raises(ValueError, match="16 bytes"):
        Identity.recorded({**identity.record(), "digest": "00"})
    assert not replace(identity, digest=bytes(16), mtime_ns=1).still_of(str(png("a.png")))
    assert isinstance(Result(InputItem("a", "a", b""), identity=identity).identity, Identity)
