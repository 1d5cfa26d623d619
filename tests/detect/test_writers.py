"""The output folder over its life: new, interrupted, resumed, overwritten, refused, full."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anomalyclip.detect import OutputFolder, Provenance, Result, Thumbnails
from anomalyclip.detect import writers as writers_module
from anomalyclip.detect.identity import Identity
from anomalyclip.detect.journal import LineFile
from anomalyclip.detect.scored import read_results
from anomalyclip.errors import ConfigError, InputError, OutputError

FILES = {"overlay": True, "maps": "tiff"}


@pytest.fixture
def start(tmp_path: Path, provenance: Provenance) -> Callable[..., OutputFolder]:
    def begin(mode: Any = "new", provenance: Provenance = provenance, files: dict[str, object] = FILES) -> OutputFolder:
        folder = OutputFolder(tmp_path / "out", mode)
        folder.begin(provenance, files=files, cwd="/data")
        return folder

    return begin


def rows(folder: Path) -> list[dict[str, Any]]:
    """What the JSON lines say, after checking that the CSV says the same."""
    parsed = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    with (folder / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [(r["path"], r["error"] or "") for r in parsed] == [(c["path"], c["error"]) for c in table]
    return parsed


def scores(folder: Path) -> dict[str, float | None]:
    found = rows(folder)
    assert len({r["path"] for r in found}) == len(found), "a row twice"
    return {r["path"]: r["score"] for r in found}


def absolute(result_of: Callable[..., Result], name: str, *args: Any, **kwargs: Any) -> Result:
    return result_of(f"/data/{name}", *args, **kwargs)


def test_rows_of_a_folder_older_than_p_values_are_kept(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    with start() as folder:
        row = folder.append(absolute(result_of, "a.png", 0.5))
    del row["p_value"]
    (tmp_path / "out/results.jsonl").write_text(json.dumps(row) + "\n")
    with start("resume") as folder:
        assert folder.done_count == 1
        folder.append(absolute(result_of, "b.png", 0.5, p_value=0.25))
    assert [row.get("p_value") for row in rows(tmp_path / "out")] == [None, 0.25]
    with (tmp_path / "out/results.csv").open(newline="") as file:
        assert [cells["p_value"] for cells in csv.DictReader(file)] == ["", "0.25"]


def test_a_new_run(start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path) -> None:
    with start() as folder:
        for i in range(3):
            row = folder.append(absolute(result_of, f"{i}.png", i / 10))
            assert row["score"] == i / 10
            assert len((tmp_path / "out/results.jsonl").read_bytes().splitlines()) == i + 1, "flushed row by row"
            assert len((tmp_path / "out/results.csv").read_bytes().splitlines()) == i + 2
    assert scores(tmp_path / "out") == {"/data/0.png": 0.0, "/data/1.png": 0.1, "/data/2.png": 0.2}


def test_resume_skips_what_is_done_and_retries_what_failed(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    a, b, c = (absolute(result_of, f"{n}.png", 0.4) for n in "abc")
    with start() as folder:
        folder.append(a)
        folder.append(replace(b, score=None, decision=None, error="cut"))
    with start("resume") as folder:
        assert [folder.is_done(r.item) for r in (a, b, c)] == [True, False, False]
        assert folder.done_count == 1
        folder.append(b)
        folder.append(c)
    found = rows(tmp_path / "out")
    assert [r["path"] for r in found] == ["/data/a.png", "/data/b.png", "/data/c.png"], "in its old place"
    assert [r["error"] for r in found] == [None] * 3


@pytest.mark.parametrize("torn", ["results.jsonl", "results.csv", "cards.jsonl"])
@pytest.mark.parametrize("keep", [0, 1, 7, -1, -30])
def test_any_torn_file_is_repaired_on_resume(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path, torn: str, keep: int
) -> None:
    results = [absolute(result_of, f"{n}.png", 0.4) for n in "abc"]
    with start() as folder:
        for result in results:
            folder.append(result)
    path = tmp_path / "out" / torn
    path.write_bytes(path.read_bytes()[:keep])  # what kill -9 or a power cut can leave
    with start("resume") as folder:
        for result in results:
            if not folder.is_done(result.item):
                folder.append(result)
    assert scores(tmp_path / "out") == {f"/data/{n}.png": 0.4 for n in "abc"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("score", "0.4"), ("score", float("nan")), ("path", 5), ("path", "\ud800"), ("regions", 3), ("regions", [{}]),
        ("regions", [{"box": [1, 2, 3], "peak": 0.5, "area": 1}]), ("geometry", 1e300), ("notes", [1]), ("error", 1),
        ("settings", "none"), ("width", 10**400), ("frame", True),
    ],
)  # fmt: skip
def test_a_row_that_was_edited_is_scored_again(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path, key: str, value: object
) -> None:
    a, b = (absolute(result_of, f"{n}.png", 0.4) for n in "ab")
    with start() as folder:
        row = folder.append(a)
        folder.append(b)
    path = tmp_path / "out/results.jsonl"
    path.write_text(json.dumps({**row, key: value}) + "\n" + path.read_text().splitlines()[1] + "\n")
    with pytest.raises(InputError, match="holds a row that detect did not write"):
        list(read_results(tmp_path / "out"))
    with start("resume") as folder:
        assert [folder.is_done(one.item) for one in (a, b)] == [False, True]
        folder.append(a)
    assert scores(tmp_path / "out") == {"/data/a.png": 0.4, "/data/b.png": 0.4}


@pytest.mark.parametrize(
    "edit", [{"image": 5}, {"heat": None}, {"name": "\ud800"}, {"pairs": [{"own": 1}]}, {"pairs": 1}]
)
def test_a_card_that_was_edited_is_left_out(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path, edit: dict[str, object]
) -> None:
    with start() as folder:
        folder.append(replace(absolute(result_of, "a.png", 0.4), thumbnails=Thumbnails("data:i", "data:h")))
    path = tmp_path / "out/cards.jsonl"
    path.write_text(json.dumps({**json.loads(path.read_text()), **edit}) + "\n")
    with start("resume"):
        pass
    assert path.read_text() == ""
    assert scores(tmp_path / "out") == {"/data/a.png": 0.4}


def test_times_that_no_file_has_are_not_compared(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    with start() as folder:
        folder.append(replace(absolute(result_of, "a.png", 0.4), identity=Identity(1, 2, 3, bytes(16))))
    path = tmp_path / "out/files.jsonl"
    path.write_text(path.read_text().replace('"mtime_ns": 2', '"mtime_ns": 1e300'))
    with start("resume") as folder:
        assert folder.done_count == 1


def test_an_interrupt_between_two_files_leaves_both_in_step(
    start: Callable[..., OutputFolder],
    result_of: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    append = LineFile.append

    def interrupted(self: LineFile, line: bytes) -> None:
        if self.path.name == "results.csv":
            raise KeyboardInterrupt
        append(self, line)

    folder = start()
    folder.append(absolute(result_of, "a.png", 0.1))
    monkeypatch.setattr(LineFile, "append", interrupted)
    with pytest.raises(KeyboardInterrupt), folder:
        folder.append(absolute(result_of, "b.png", 0.2))
    assert scores(tmp_path / "out") == {"/data/a.png": 0.1, "/data/b.png": 0.2}


def test_resume_refuses_other_settings_and_names_them(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], provenance: Provenance
) -> None:
    with start() as folder:
        folder.append(absolute(result_of, "a.png"))
    other = Provenance("other", provenance.prompts, {**provenance.settings, "image_size": 99})
    with pytest.raises(ConfigError) as caught:
        start("resume", other, {"overlay": True, "maps": "npz"})
    message = str(caught.value)
    assert 'model "stub" then, "other" now' in message
    assert "image_size 16 then, 99 now" in message
    assert 'files.maps "tiff" then, "npz" now' in message
    assert "threshold" not in message
    assert "--overwrite" in message


def test_resume_without_a_record_is_refused(start: Callable[..., OutputFolder], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/results.jsonl").write_text("")
    with pytest.raises(ConfigError, match=r"run\.json is missing or damaged"):
        start("resume")


def test_resume_of_nothing_is_a_new_run(start: Callable[..., OutputFolder], tmp_path: Path) -> None:
    start("resume").close()
    assert rows(tmp_path / "out") == []


def test_a_used_folder_is_refused_and_says_the_ways_on(start: Callable[..., OutputFolder], tmp_path: Path) -> None:
    start().close()
    with pytest.raises(ConfigError, match=r"earlier run.*--resume.*--overwrite"):
        OutputFolder(tmp_path / "out")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/me.png").write_text("x")
    with pytest.raises(ConfigError, match=r"not empty.*--overwrite"):
        OutputFolder(tmp_path / "photos")


def test_overwrite_removes_our_files_only(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    with start() as folder:
        folder.append(absolute(result_of, "a.png"))
    for name in ("overlays/sub/a.png", "overlays/note.txt", "maps/a.tiff", "mine.png"):
        (tmp_path / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "out" / name).write_text("x")
    start("overwrite").close()
    assert rows(tmp_path / "out") == []
    left = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert left == {
        "overlays/note.txt",
        "mine.png",
        "run.json",
        "results.jsonl",
        "results.csv",
        "cards.jsonl",
        "files.jsonl",
    }


def test_overwrite_claims_no_folder_without_our_record(start: Callable[..., OutputFolder], tmp_path: Path) -> None:
    (tmp_path / "out/overlays").mkdir(parents=True)
    (tmp_path / "out/overlays/mine.png").write_text("x")
    start("overwrite").close()
    assert (tmp_path / "out/overlays/mine.png").exists()


def test_output_names_are_the_same_again(start: Callable[..., OutputFolder], result_of: Callable[..., Result]) -> None:
    result = absolute(result_of, "a.png")
    result = replace(result, item=replace(result.item, name="odd/name"))
    with start() as folder:
        folder.append(result)
    with start("resume") as folder:
        assert folder.names.claim("a.png", path=result.item.path, key=result.item.key) == "odd/name"


def test_thumbnails_are_kept_for_the_highest_scores_only(
    start: Callable[..., OutputFolder],
    result_of: Callable[..., Result],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writers_module, "MAX_CARDS", 2)
    with start() as folder:
        for i, score in enumerate([0.5, 0.4, 0.3, 0.9]):
            folder.append(absolute(result_of, f"{i}.png", score, thumbnails=Thumbnails("a", "b")))
    cards = [json.loads(line) for line in (tmp_path / "out/cards.jsonl").read_text().splitlines()]
    assert ["image" in card for card in cards] == [True, True, False, True]


def test_two_runs_never_share_a_folder(start: Callable[..., OutputFolder]) -> None:
    pytest.importorskip("fcntl")
    folder = start()
    with pytest.raises(OutputError, match="another run"):
        start("resume")
    with pytest.raises(OutputError, match="another run"):
        start("overwrite")
    folder.close()
    start("resume").close()


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match="name a folder"):
        OutputFolder(tmp_path / "out")
    with pytest.raises(OutputError, match="not a folder"):
        OutputFolder(tmp_path / "out" / "deeper")


def test_a_full_disk_stops_the_run_and_keeps_every_row(
    start: Callable[..., OutputFolder], result_of: Callable[..., Result], tmp_path: Path
) -> None:
    folder = start()
    folder.append(absolute(result_of, "a.png", 0.1))
    folder._files[1].close()
    folder._files[1] = LineFile(Path("/dev/full"))
    with pytest.raises(OutputError, match="disk is full"), folder:
        folder.append(absolute(result_of, "b.png", 0.2))
    with start("resume") as folder:
        folder.append(absolute(result_of, "b.png", 0.2))
    assert scores(tmp_path / "out") == {"/data/a.png": 0.1, "/data/b.png": 0.2}
