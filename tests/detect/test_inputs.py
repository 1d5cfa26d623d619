"""Files, folders and globs -> items."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from anomalyclip.calibration.memory_file import memory_name
from anomalyclip.data.listings import pictures
from anomalyclip.detect import iter_inputs, survey_inputs
from anomalyclip.errors import InputError


def paths(*inputs: object, **options: object) -> list[str]:
    return [item.path for item in iter_inputs([str(i) for i in inputs], **options)]  # type: ignore[arg-type]


def test_a_folder_gives_its_images_sorted_and_nothing_else(tmp_path: Path, png: Callable[..., Path]) -> None:
    for name in ("f/b.png", "f/a.PNG", "f/.hidden.png", "f/sub/c.png"):
        png(name)
    (tmp_path / "f/notes.txt").write_text("x")
    (tmp_path / "f/folder.png").mkdir()
    folder = tmp_path / "f"
    assert paths(folder) == [f"{folder}/a.PNG", f"{folder}/b.png"]
    assert paths(folder, recursive=True) == [f"{folder}/a.PNG", f"{folder}/b.png", f"{folder}/sub/c.png"]


def test_what_calibrate_drew_beside_its_profiles_is_no_part(tmp_path: Path, png: Callable[..., Path]) -> None:
    """`cd good && anomalyclip calibrate .`, and once more: the first chart would be remembered as a good part."""
    for name in ("f/a.png", "f/b.png", "f/line.png", "f/line.two.png", "f/line.three.png", "f/other.one.png"):
        png(name)
    for name in ("line.json", "b.json"):  # the second as labelling tools write one beside each picture
        (tmp_path / "f" / name).write_text("{}")
    for name in ("one", "two"):
        (tmp_path / "f" / memory_name(tmp_path / "f/line.json", name)).write_bytes(b"")
    (tmp_path / "f" / memory_name(tmp_path / "f/other.json", "one")).write_bytes(b"")  # without its profile
    folder = tmp_path / "f"
    assert paths(folder) == [f"{folder}/{name}.png" for name in ("a", "b", "line.three", "other.one")]
    assert paths(folder / "*.png") == paths(folder)
    assert paths(folder / "line.png") == [f"{folder}/line.png"], "named, it is meant"
    assert [str(path) for path in pictures(folder)] == paths(folder), "of a data set, too"


def test_named_files_are_attempted_whatever_their_suffix(tmp_path: Path) -> None:
    (tmp_path / "scan").write_text("x")
    assert paths(tmp_path / "scan") == [f"{tmp_path}/scan"]


def test_globs_are_expanded_and_sorted_but_a_literal_name_comes_first(tmp_path: Path, png: Callable[..., Path]) -> None:
    for name in ("x[1].png", "x1.png", "a/q.png", "b/q.png"):
        png(name)
    assert paths(tmp_path / "x[1].png") == [f"{tmp_path}/x[1].png"]
    assert paths(tmp_path / "x?.png") == [f"{tmp_path}/x1.png"]
    items = list(iter_inputs([f"{tmp_path}/*/q.png"]))
    assert [i.path for i in items] == [f"{tmp_path}/a/q.png", f"{tmp_path}/b/q.png"]
    assert [i.name for i in items] == ["a/q", "b/q"]
    assert paths(tmp_path / "**/q.png") == [f"{tmp_path}/a/q.png", f"{tmp_path}/b/q.png"]


def test_one_name_under_several_spellings_comes_once_and_links_are_names(
    tmp_path: Path, png: Callable[..., Path]
) -> None:
    one = png("f/one.png")
    link = tmp_path / "f/zlink.png"
    link.symlink_to(one)
    (tmp_path / "again").symlink_to(tmp_path / "f")
    assert paths(tmp_path / "f", one, tmp_path / "f/../f/one.png", tmp_path / "again") == [str(one), str(link)]


def test_inputs_that_give_nothing_become_items_with_a_problem(tmp_path: Path, png: Callable[..., Path]) -> None:
    (tmp_path / "empty").mkdir()
    given = [str(png("a.png")), f"{tmp_path}/gone.png", f"{tmp_path}/empty", f"{tmp_path}/*.xyz"]
    problems = [item.problem for item in iter_inputs(given)]
    assert problems[0] is None
    assert problems[1] == "no such file or folder"
    assert "no image in this folder" in str(problems[2])
    assert "--recursive" not in str(problems[2]), "it would find nothing either"
    assert problems[3] == "no such file, and none matches it as a pattern"
    assert survey_inputs(given) == 4
    (address,) = iter_inputs(["https://example.org/a.png"])
    assert "download it, and give the path" in str(address.problem)


@pytest.mark.parametrize("given", ["gone.png", "empty", "*.xyz"])
def test_nothing_at_all_is_an_error_that_says_why(tmp_path: Path, given: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="There are no pictures to look at") as caught:
        survey_inputs([f"{tmp_path}/{given}"])
    assert given in str(caught.value)


def test_no_input_is_an_error() -> None:
    with pytest.raises(InputError, match="Name at least one"):
        survey_inputs([])


def test_links_that_lead_back_up_end(tmp_path: Path, png: Callable[..., Path]) -> None:
    png("f/sub/a.png")
    (tmp_path / "f/sub/up").symlink_to(tmp_path / "f")
    assert paths(tmp_path / "f", recursive=True) == [f"{tmp_path}/f/sub/a.png"]


def test_a_dangling_link_is_an_item_so_that_it_fails_in_its_own_row(tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()
    (tmp_path / "f/gone.png").symlink_to("/nowhere/at/all.png")
    assert paths(tmp_path / "f") == [f"{tmp_path}/f/gone.png"]


def test_pictures_of_an_output_folder_are_no_inputs(tmp_path: Path, png: Callable[..., Path]) -> None:
    for name in ("f/a.png", "f/out/overlays/a.png", "f/out/maps/a.tiff", "f/overlays/mine.png"):
        png(name)
    for name in ("run.json", "results.jsonl"):
        (tmp_path / "f/out" / name).write_text("")
    assert paths(tmp_path / "f", recursive=True) == [f"{tmp_path}/f/a.png", f"{tmp_path}/f/overlays/mine.png"]
    assert paths(tmp_path / "f/out/overlays") == [f"{tmp_path}/f/out/overlays/a.png"], "asked for by name"


def test_undecodable_names_survive(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/caf\xe9 1.png"
    Path(os.fsdecode(raw)).write_bytes(b"x")
    (item,) = iter_inputs([str(tmp_path)])
    assert os.fsencode(item.path) == raw
    assert os.fsencode(item.name) == b"caf\xe9 1"


@pytest.mark.parametrize("name", ["=1+1.png", "+a.png", "-a.png", "@a.png"])
def test_names_that_a_spreadsheet_would_run_get_a_harmless_spelling(
    tmp_path: Path, png: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    png(name)
    monkeypatch.chdir(tmp_path)
    assert paths(name) == [f"./{name}"]
    assert Path(paths(name)[0]).is_file()


def test_folders_given_together_keep_their_own_names(tmp_path: Path, png: Callable[..., Path]) -> None:
    png("a/x.png"), png("b/x.png")
    assert [i.name for i in iter_inputs([f"{tmp_path}/a", f"{tmp_path}/b/"])] == ["a/x", "b/x"]
    assert [i.name for i in iter_inputs([f"{tmp_path}/a/x.png", f"{tmp_path}/b/x.png"])] == ["x", "b/x"]


def test_it_is_lazy(tmp_path: Path, png: Callable[..., Path]) -> None:
    first = next(iter_inputs([str(png("a.png")), f"{tmp_path}/gone"]))
    assert first.path.endswith("a.png")
