"""Checking by decoding, rendering sets that resume, and the command line over both."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner

from anomalyclip.cli.data import app
from anomalyclip.data import check_dataset, load_sample, make_dataset, open_dataset
from anomalyclip.errors import ConfigError, InputError, OutputError


def damaged(root: Path, put) -> Path:
    for number in range(4):
        put(root / f"nut/test/good/{number}.png")
        put(root / f"nut/test/bent/{number}.png")
        put(
            root / f"nut/ground_truth/bent/{number}_mask.png",
            0 if number == 1 else 255,
            (4, 6) if number == 2 else (8, 6),
            part=True,
        )
    (root / "nut/test/good/3.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    (root / "nut/ground_truth/bent/3_mask.png").write_bytes(b"text")
    return root


def test_check_reports_and_goes_on(tmp_path: Path, put) -> None:
    steps: list[int] = []
    report = check_dataset(open_dataset(damaged(tmp_path, put)), lambda: steps.append(1))
    row = report.classes["nut"]
    assert (row.normal, row.anomalous, row.masks, row.unreadable) == (3, 3, 3, 2)
    assert report.total == row
    assert len(steps) == 8
    text = "\n".join(report.problems)
    assert "1_mask.png: the mask of an anomalous image is all black" in text
    assert "2_mask.png: the mask has 4 x 6 pixels, its image 8 x 6; they do not cover the same area" in text
    assert "good/3.png" in text
    assert "3_mask.png" in text
    assert len(report.problems) == 4


def test_check_tells_a_smaller_mask_from_one_of_another_shape(tmp_path: Path, put) -> None:
    put(tmp_path / "good/a.png")
    put(tmp_path / "bent/b.png")
    put(tmp_path / "ground_truth/bent/b.png", 255, (4, 3), part=True)
    (problem,) = check_dataset(open_dataset(tmp_path)).problems
    assert "4 x 3 pixels, its image 8 x 6; it is scaled to fit" in problem


def test_samples(tmp_path: Path, put) -> None:
    root = damaged(tmp_path, put)
    good, *_, bent = open_dataset(root).items[:5]
    pixels, mask = load_sample(good, 4)
    assert pixels.shape == (3, 4, 4)
    assert mask is not None
    assert not mask.any()
    np.testing.assert_array_equal(load_sample(bent, 4)[1], [[1, 0, 0, 0]] * 4)


def test_make_resumes_to_the_same_set(tmp_path: Path) -> None:
    options = {"size": 48, "seed": 3, "families": ["wood", "nut"]}
    make_dataset(tmp_path / "whole", 6, **options)
    count = 0

    def stop() -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_dataset(tmp_path / "part", 6, **options, advance=stop)
    with pytest.raises(OutputError, match="--resume"):
        make_dataset(tmp_path / "part", 6, **options)
    with pytest.raises(InputError, match="same options"):
        make_dataset(tmp_path / "part", 6, **{**options, "seed": 4}, resume=True)
    dataset = make_dataset(tmp_path / "part", 6, **options, resume=True)
    assert [sum(i.label == label for i in dataset.items) for label in (0, 1)] == [3, 3]
    assert (set(dataset.classes), dataset.levels) == ({"wood", "nut"}, {"image", "pixel"})
    files = {p.relative_to(tmp_path / "whole"): p.read_bytes() for p in (tmp_path / "whole").rglob("*") if p.is_file()}
    again = {p.relative_to(tmp_path / "part"): p.read_bytes() for p in (tmp_path / "part").rglob("*") if p.is_file()}
    assert files == again
    assert not check_dataset(open_dataset(tmp_path / "part")).problems
    with pytest.raises(ConfigError, match="unknown families"):
        make_dataset(tmp_path / "other", families=["lava"])
    with pytest.raises(ConfigError, match="out of range"):
        make_dataset(tmp_path / "other", 1)


def test_make_into_a_relative_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(app, ["make", "aux", "--images", "2", "--size", "32", "--families", "wood"])
    assert made.exit_code == 0
    for options in ([], ["--families", "all"]):  # help: "default: all"
        made = CliRunner().invoke(app, ["make", f"aux{len(options)}", "--images", "2", "--size", "32", *options])
        assert made.exit_code == 0
    assert (tmp_path / "aux0/meta.json").read_bytes() == (tmp_path / "aux2/meta.json").read_bytes()
    assert json.loads((tmp_path / "aux/meta.json").read_text())["test"]["wood"][0]["img_path"].startswith("wood/test/")


def test_several_sets_are_checked_and_one_that_is_none_hides_no_other(tmp_path: Path, put) -> None:
    for name in ("one", "two"):
        put(tmp_path / name / "good/a.png")
        put(tmp_path / name / "bad/b.png")
    (tmp_path / "empty").mkdir()
    result = CliRunner().invoke(app, ["check", *(str(tmp_path / name) for name in ("one", "empty", "two"))])
    assert result.exit_code == 3
    assert "one, test split, 2 images" in result.stdout
    assert "two, test split, 2 images" in result.stdout
    assert result.stdout.count("problem:") == 1
    both = CliRunner().invoke(app, ["check", str(tmp_path / "one"), str(tmp_path / "two"), "--json"])
    facts = json.loads(both.stdout)
    assert [each["name"] for each in facts] == ["one", "two"]


def test_how_pictures_are_read_is_told_together(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / "good").mkdir(exist_ok=True)
        tifffile.imwrite(tmp_path / f"good/{number}.tif", np.full((4, 4), 0.25 * (1 + number), np.float32))
    report = check_dataset(open_dataset(tmp_path))
    told = [note for note in report.notes if "1 taken as white" in note]
    assert len(told) == 1
    assert told[0].startswith("3 images such as")


def test_commands(tmp_path: Path, put) -> None:
    run = CliRunner().invoke
    assert len(json.loads(run(app, ["list", "--json"]).stdout)) == 17
    assert "BTAD" in run(app, ["list"]).stdout
    assert "1cls.csv" in run(app, ["info", "visa"]).stdout
    root = damaged(tmp_path / "set", put)
    result = run(app, ["check", str(root)])
    assert result.exit_code == 3
    assert "4 problems" in result.stdout
    facts = json.loads(run(app, ["check", str(root), "--json"]).stdout)
    assert facts["classes"]["nut"]["unreadable"] == 2
    (root / "meta.json").write_text("damaged")
    assert run(app, ["meta", str(root)]).exit_code == 0
    content = json.loads((root / "meta.json").read_text())
    assert content["train"] == {"nut": []}
    assert content["test"]["nut"][4]["mask_path"] == "nut/ground_truth/bent/0_mask.png"
    made = run(app, ["make", str(tmp_path / "made"), "--images", "2", "--size", "32", "--families", "wood"])
    assert made.exit_code == 0
    assert run(app, ["check", str(tmp_path / "made")]).exit_code == 0
