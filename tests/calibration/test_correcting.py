"""Corrections of a real line: the embedded model on drawn parts, through the command."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.calibration import Profile, read_profile, write_profiles
from anomalyclip.calibration.conformal import allowed_or_smallest, interpolated_threshold
from anomalyclip.calibration.corrections_journal import FAULTY, CorrectionsJournal, Said, as_csv
from anomalyclip.calibration.memory_file import packed, part_of
from anomalyclip.cli import main
from anomalyclip.cli._correct_names import Rows
from anomalyclip.detect.result import COLUMNS
from anomalyclip.errors import ConfigError
from anomalyclip.judges.memory.fusion import Mixture, Scale

SIDE = ["--image-size", "64", "--threads", "1", "--quiet"]


def run(*words: object) -> int:
    with pytest.raises(SystemExit) as ended:
        main([*map(str, words)])
    return int(ended.value.code or 0)


def part(rng: np.random.Generator, blot: int = 0) -> Image.Image:
    pixels = np.full((64, 80, 3), 150, np.uint8) + rng.integers(0, 14, (64, 80, 3), dtype=np.uint8)
    if blot:
        pixels[20 : 20 + blot, 30 : 30 + blot] = (210, 40, 30)
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good/, photos/ with three alarms, line.json, line-words.json and results of detect."""
    folder, rng = tmp_path_factory.mktemp("shop"), np.random.default_rng(4)
    (folder / "good").mkdir()
    (folder / "photos").mkdir()
    for i in range(12):
        part(rng).save(folder / "good" / f"{i:02d}.png")
    for i, blot in enumerate((0, 10, 16, 20)):
        part(rng, blot).save(folder / "photos" / f"p{i}.png")
    line = folder / "line.json"
    told = ["--no-self-test", "--no-plot", *SIDE]
    assert run("calibrate", folder / "good", "--fpr", "0.1", "--output", line, *told) == 0
    assert (
        run("calibrate", folder / "good", "--fpr", "0.1", "--output", folder / "words.json", "--no-memory", *told) == 0
    )
    options = ["--no-overlay", "--maps", "none", "--no-report", *SIDE]
    for name in ("line", "words"):
        profile, out = folder / f"{name}.json", folder / f"results-{name}"
        assert run("detect", folder / "photos", "--profile", profile, "--output", out, *options) == 0
    return folder


@pytest.fixture
def work(shop: Path, tmp_path: Path) -> Path:
    """Copies of the profiles, to be corrected."""
    for name in ("line", "words"):
        write_profiles(tmp_path / f"{name}.json", [read_profile(shop / f"{name}.json")])
    return tmp_path


def rows(shop: Path, name: str) -> dict[str, dict[str, Any]]:
    text = (shop / f"results-{name}" / "results.jsonl").read_text()
    return {Path(row["path"]).name: row for row in map(json.loads, text.splitlines())}


def test_a_false_alarm_joins_and_sets_the_line_like_any_good_picture(shop: Path, work: Path) -> None:
    before, line = read_profile(work / "line.json"), work / "line.json"
    found = rows(shop, "line")["p1.png"]
    assert found["decision"] == "anomalous"
    assert run("correct", shop / "results-line", "--profile", line, "--normal", "p1.png", "--quiet") == 0
    after = read_profile(line)
    assert after.memory is not None
    assert before.memory is not None
    assert after.memory.pictures == (*before.memory.pictures, "p1.png")
    # What `detect` said before is what the memory says of the picture without itself.
    scale = Scale(before.memory.score_scale.typical, before.memory.score_scale.line)
    raw = scale.inverse(np.array([*before.image.scores, found["score"]]))
    expected = Scale(float(np.median(raw)), interpolated_threshold(raw, allowed_or_smallest(13, before.image.rate)))
    assert after.count == 13
    np.testing.assert_allclose(after.image.scores, np.sort(expected(raw)), atol=2e-4)
    assert after.corrections is not None
    assert (after.corrections.false_alarms, after.corrections.faulty, after.corrections.numbers) == (1, 0, (1,))
    again = work / "again"
    told = ["--no-overlay", "--maps", "none", "--no-report", *SIDE]
    assert run("detect", shop / "photos", "--profile", line, "--output", again, *told) == 0
    now = {Path(r["path"]).name: r for r in map(json.loads, (again / "results.jsonl").read_text().splitlines())}
    assert now["p1.png"]["decision"] == "normal"
    (entry,) = map(json.loads, (work / "line.default.corrections" / "journal.jsonl").read_text().splitlines())
    (picture,) = entry["pictures"]
    assert picture["score_after"] == pytest.approx(now["p1.png"]["score"], abs=1e-5)
    assert picture["score_before"] == found["score"]
    assert entry["by"]
    assert entry["at"].startswith("20")


def test_lines_of_the_journal_that_were_edited_are_passed_over(
    profile_of: Callable[..., Profile], tmp_path: Path
) -> None:
    journal = CorrectionsJournal(tmp_path / "line.json", "a")
    journal.make_folder()
    journal.record(1, "ann", "out", [Said("/a.png", FAULTY, size=(4, 3))])
    (row,) = map(json.loads, journal.path.read_text().splitlines())
    (picture,) = row["pictures"]
    pictures = [{}, 1, picture | {"region": [1, 2]}, picture | {"said": "good"}, picture | {"size": [1, "x"]}]
    edited = [{"number": "one"}, {"number": -1}, {"pictures": 3}, *({"pictures": [one]} for one in pictures)]
    foreign = [{"action": "correct"}, row | {"by": None}, *(row | one for one in edited)]
    with journal.path.open("a") as file:
        file.writelines(json.dumps(one) + "\n" for one in foreign)
    assert list(journal.entries()) == [row]
    assert as_csv(journal, profile_of(np.linspace(0.1, 0.5, 19))).count("\n") == 2
    (journal.folder / "0003.json").write_text("kept before a correction whose line is lost")
    assert journal.next_number() == 4


def test_foreign_lines_among_the_rows_are_no_pictures(tmp_path: Path) -> None:
    row = {**dict.fromkeys(COLUMNS), "path": "a.png", "score": 0.5, "regions": []}
    lines = [{"score": 1}, {"path": 3, "score": 0.1}, row, row | {"path": "b.png", "regions": [1]}]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (tmp_path / "run.json").write_text("[" * 100_000)
    assert Rows(tmp_path).find("a.png").row == row
    with pytest.raises(ConfigError, match=r"no row of .* with a score is called b\.png"):
        Rows(tmp_path).find("b.png")


def test_a_false_alarm_that_the_words_alone_raise_is_normal_at_once(shop: Path, tmp_path: Path) -> None:
    """In a line of strangers distances count nothing: to remember a picture does not make it normal."""
    before = read_profile(shop / "line.json")
    line = replace(before.opened().line, mixture=Mixture("auto", 0, 0, 1, map_memory=0), score_scale=Scale(0.0, 2.0))
    assert before.memory is not None
    data = packed(line, [b"jpeg"] * 12)
    memory = part_of(line, file=before.memory.file, data=data, held_out="each")
    path = tmp_path / "line.json"
    write_profiles(path, [before.model_copy(update={"memory": memory}).holding(data)])
    options = ["--no-overlay", "--maps", "none", "--no-report", *SIDE]

    def judged(name: str) -> dict[str, str]:
        assert run("detect", shop / "photos", "--profile", path, "--output", tmp_path / name, *options) == 0
        found = map(json.loads, (tmp_path / name / "results.jsonl").read_text().splitlines())
        return {Path(row["path"]).name: row["decision"] for row in found}

    alarm = next(name for name, decision in judged("first").items() if decision == "anomalous")
    assert run("correct", tmp_path / "first", "--profile", path, "--normal", alarm, "--quiet") == 0
    assert judged("second")[alarm] == "normal"


def test_faulty_pictures_set_the_operating_point_and_are_no_normals(
    shop: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = work / "line.json"
    before = read_profile(line)
    words = ["--profile", line, "--faulty", "p2.png", "p3.png", "--min-recall", "0.5", "--by", "ann"]
    assert run("correct", shop / "results-line", *words) == 0
    after = read_profile(line)
    assert after.image == before.image
    assert after.operating is not None
    flagged = (np.float32(after.image.scores) >= np.float32(after.operating.threshold)).sum()
    told = " ".join(capsys.readouterr().err.split())
    assert f"now: {flagged} of the {after.count} good pictures would be called anomalous" in told
    assert after.memory is not None
    assert before.memory is not None
    assert after.memory.sha256 == before.memory.sha256
    scores = sorted(rows(shop, "line")[name]["score"] for name in ("p2.png", "p3.png"))
    assert after.operating is not None
    assert after.operating.threshold == pytest.approx(scores[0], abs=1e-5), "k = floor(3 * 0.5) = 1: the lowest"
    assert after.operating.anomalies == 2
    assert after.image_threshold == after.operating.threshold
    assert after.corrections is not None
    assert after.corrections.faulty == 2


def test_undo_brings_back_what_was(shop: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line, results = work / "line.json", shop / "results-line"
    first = read_profile(line)
    assert run("correct", results, "--profile", line, "--normal", "p1.png", "--quiet") == 0
    middle = read_profile(line)
    assert run("correct", results, "--profile", line, "--normal", "p2.png", "--faulty", "p3.png", "--quiet") == 0
    assert run("correct", results, "--profile", line, "--undo") == 0
    assert "Correction 2 is undone" in capsys.readouterr().err
    assert read_profile(line) == middle
    assert read_profile(line).memory_bytes() == middle.memory_bytes()
    assert run("correct", results, "--profile", line, "--undo", "--quiet") == 0
    assert read_profile(line) == first
    assert run("correct", results, "--profile", line, "--undo") == 2
    assert "nothing to undo" in capsys.readouterr().err
    assert run("correct", results, "--profile", line, "--normal", "p1.png", "--quiet") == 0
    told = read_profile(line).corrections
    assert told is not None
    assert told.numbers == (3,), "a number is never used twice"


def test_undo_takes_the_folder_that_was_corrected_and_no_other(
    shop: Path, work: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line, results = work / "line.json", shop / "results-line"
    assert run("correct", results, "--profile", line, "--normal", "p1.png", "--quiet") == 0
    corrected = line.read_bytes()
    other = work / "other"
    shutil.copytree(results, other)
    (other / "results.jsonl").write_text(json.dumps(rows(shop, "line")["p0.png"] | {"path": "elsewhere.png"}) + "\n")
    for folder, said in (
        (shop / "photos", "holds no results.jsonl"),
        (other, f"it was said of the results in {results}"),
    ):
        assert run("correct", folder, "--profile", line, "--undo") == 2
        told = " ".join(capsys.readouterr().err.split())
        assert said in told
        assert line.read_bytes() == corrected
    assert run("correct", results, "--profile", line, "--undo", "--quiet") == 0


def test_a_region_alone_joins_the_memory(shop: Path, work: Path) -> None:
    line = work / "line.json"
    before = read_profile(line)
    results = work / "results"
    shutil.copytree(shop / "results-line", results)
    row = rows(shop, "line")["p1.png"]
    row["regions"] = [{"box": [30, 20, 12, 10], "area": 120, "peak": 0.5}]
    (results / "results.jsonl").write_text(json.dumps(row) + "\n")
    assert run("correct", results, "--profile", line, "--normal", "p1.png#region=1", "--quiet") == 0
    after = read_profile(line)
    assert after.image.scores == before.image.scores, "the rest of the picture may be faulty"
    opened = after.opened().line
    added = opened.boxes[opened.bank.pictures == 12]
    x, y, width, height = row["regions"][0]["box"]
    assert 0 < len(added) < (opened.bank.pictures == 0).sum()
    for left, top, wide, high in added.tolist():
        assert min(left + wide, x + width) > max(left, x)
        assert min(top + high, y + height) > max(top, y)
    assert after.corrections is not None
    assert (after.corrections.false_alarms, after.corrections.regions) == (0, 1)


def test_a_profile_of_thresholds_alone_learns_too(shop: Path, work: Path) -> None:
    line = work / "words.json"
    before = read_profile(line)
    assert run("correct", shop / "results-words", "--profile", line, "--normal", "p3.png", "--quiet") == 0
    after = read_profile(line)
    score = rows(shop, "words")["p3.png"]["score"]
    assert list(after.image.scores) == pytest.approx(sorted([*before.image.scores, score]), abs=1e-6)
    assert after.image.threshold >= before.image.threshold
    assert after.corrections is not None
    assert after.corrections.false_alarms == 1


def test_exports(shop: Path, work: Path) -> None:
    line, results = work / "line.json", shop / "results-line"
    assert run("correct", results, "--profile", line, "--normal", "p1.png", "--faulty", "p2.png", "--quiet") == 0
    assert run("correct", results, "--profile", line, "--export", work / "said.csv", "--quiet") == 0
    assert run("correct", results, "--profile", line, "--export", work / "said.json", "--quiet") == 0
    with (work / "said.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [(Path(one["path"]).name, one["said"], one["in_force"]) for one in cells] == [
        ("p1.png", "false alarm", "True"), ("p2.png", "faulty", "True"),
    ]  # fmt: skip
    from pycocotools.coco import COCO

    coco = COCO(str(work / "said.json"))
    names = {one["id"]: one["name"] for one in coco.cats.values()}
    assert {names[one["category_id"]] for one in coco.anns.values()} == {"false alarm", "faulty"}
    assert all(image["width"] == 80 for image in coco.imgs.values())


def test_refusals_change_nothing(shop: Path, work: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line, results = work / "line.json", shop / "results-line"
    before = line.read_bytes()
    base = [results, "--profile", line]
    row = json.loads((results / "results.jsonl").read_text("utf-8").splitlines()[0])
    failed = row | {"path": "broken.png", "score": None, "error": "it is not an image"}
    with (results / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(failed) + "\n")
    for words, said in (
        ([*base, "--normal", "broken.png"], "was not scored, so it cannot be corrected: it is not an image"),
        ([*base], "nothing to correct"),
        ([*base, "--normal", "p9.png"], "did you mean p"),
        ([*base, "--normal", "p1.png", "--faulty", "p1.png"], "as normal and as faulty"),
        ([*base, "--normal", "p1.png#region=99"], ", counted from 1"),
        ([*base, "--undo", "--normal", "p1.png"], "leave --normal out"),
        ([*base, "--export", "x.txt"], ".csv, or .json"),
        ([shop / "good", "--profile", line, "--normal", "p1.png"], "holds no results.jsonl"),
        ([results, "--profile", work / "none.json", "--normal", "p1.png"], "none.json"),
    ):
        assert run("correct", *words) == 2
        error = capsys.readouterr().err
        assert said in error
        assert "Traceback" not in error
    assert line.read_bytes() == before
    assert run("correct", *base, "--normal", "p1.png", "--quiet") == 0
    assert run("correct", *base, "--normal", "p1.png") == 2
    assert "already in the profile" in capsys.readouterr().err
    assert run("correct", *base, "--faulty", "p1.png") == 2
    assert "take the earlier correction back" in capsys.readouterr().err


def test_names_come_from_the_file_that_a_report_saves(tmp_path: Path) -> None:
    from anomalyclip.cli._correct_names import said_in
    from anomalyclip.errors import InputError

    file = tmp_path / "said.json"
    file.write_text(json.dumps({"format": "anomalyclip-said", "normal": ["a b.png#region=2"], "faulty": ["c.png"]}))
    assert said_in(file) == (["a b.png#region=2"], ["c.png"])
    for other in ("{}", "no json", '{"format": "anomalyclip-said", "normal": [1], "faulty": []}', "[]"):
        file.write_text(other)
        with pytest.raises(InputError, match="that report"):
            said_in(file)
    with pytest.raises(InputError, match="cannot be read"):
        said_in(tmp_path / "none.json")
