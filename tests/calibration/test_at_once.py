"""Runs that write one file of profiles at once: none takes back what another wrote, and a killed one bars nobody."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from anomalyclip.calibration import Profile, read_profile, read_profiles, write_profiles, writing
from anomalyclip.calibration.changing import put_profile, replace_profiles, stamp
from anomalyclip.calibration.writing import write_new_profiles
from anomalyclip.cli import app
from anomalyclip.cli._calibrate_job import CalibrateJob
from anomalyclip.errors import ConfigError, OutputError

SCORES = np.linspace(0.1, 0.9, 20)


def test_each_of_many_writers_keeps_its_profile(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    gate = threading.Barrier(4)

    def write(name: str) -> tuple[str, Path]:
        profile = profile_of(SCORES, name=name)
        gate.wait()
        return name, write_new_profiles(tmp_path / "line.json", [profile])

    with ThreadPoolExecutor(4) as pool:
        written = dict(pool.map(write, "abcd"))
    assert len(set(written.values())) == 4
    assert tmp_path / "line.json" in written.values()
    assert {read_profile(place).name: place for place in written.values()} == written
    assert {path.suffix for path in tmp_path.iterdir()} == {".json"}, "no lock is left"


def test_a_failed_write_leaves_nothing(
    profile_of: Callable[..., Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OutputError("the disk is full")

    monkeypatch.setattr(writing, "write_bytes", full)
    with pytest.raises(OutputError, match="full"):
        write_new_profiles(tmp_path / "line.json", [profile_of(SCORES)])
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OutputError, match="its folder does not exist"):
        write_new_profiles(tmp_path / "none" / "line.json", [profile_of(SCORES)])


def test_processes_that_change_one_file_lose_no_profile(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    place = tmp_path / "plant.json"
    write_profiles(place, [profile_of(SCORES, name="first")])
    program = (
        "import sys; from anomalyclip.calibration import read_profile; "
        "from anomalyclip.calibration.changing import put_profile\n"
        "mine = read_profile(sys.argv[1])\n"
        "for number in range(20):\n"
        "    new = mine.model_copy(update={'name': f'{sys.argv[3]}{number}'})\n"
        "    assert put_profile(sys.argv[2], new, instead_of=None)\n"
    )
    profile_of(SCORES).save(tmp_path / "mine.json")
    call = [sys.executable, "-c", program, str(tmp_path / "mine.json"), str(place)]
    writers = [subprocess.Popen([*call, name]) for name in "ab"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    assert set(read_profiles(place)) == {"first", *(f"{name}{number}" for name in "ab" for number in range(20))}
    assert {path.name for path in tmp_path.iterdir()} == {"mine.json", "plant.json"}, "no lock is left"


@contextmanager
def holder(program: str, *words: object) -> Iterator[subprocess.Popen[str]]:
    """A process that has said that it holds what it is to hold."""
    call = [sys.executable, "-c", f"{program}\n    print('held', flush=True); time.sleep(600)", *map(str, words)]
    with subprocess.Popen(call, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_who_waits_for_long_is_told_and_a_killed_run_bars_nobody(
    profile_of: Callable[..., Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "line.json"
    program = (
        "import sys, time, pathlib; from anomalyclip.calibration.writing import changing\n"
        "with changing(pathlib.Path(sys.argv[1])):"
    )
    with holder(program, place) as process:
        with monkeypatch.context() as patch:
            patch.setattr(writing, "PATIENCE", 0.2)
            with pytest.raises(OutputError, match=r"line\.json: another run .* wait until it has ended"):
                write_profiles(place, [profile_of(SCORES)])
        assert not place.exists()
        process.kill()
        process.wait()
        assert list(tmp_path.iterdir()), "it was killed while it held the lock"
        write_profiles(place, [profile_of(SCORES)])
    assert list(tmp_path.iterdir()) == [place]


def test_what_a_server_keeps_is_changed_by_nobody_else(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    place = tmp_path / "default.json"
    profile = profile_of(SCORES)
    profile.save(place)
    program = (
        "import sys, time, pathlib; from anomalyclip.serve.keeping import Keeper\n"
        "keeper = Keeper(pathlib.Path(sys.argv[1]))\nif keeper:"
    )
    call = ["calibrate", str(tmp_path), "--fpr", "0.2", "--output", str(place), "--overwrite"]
    with holder(program, tmp_path) as process:
        for write in (lambda: profile.save(place), lambda: put_profile(place, profile, instead_of=profile)):
            with pytest.raises(ConfigError, match=r"a server keeps .*default\.json .*end the server first"):
                write()
        result = CliRunner().invoke(app, call)
        assert "a server keeps" in str(result.exception) + result.output
        process.kill()
        process.wait()
        profile.save(place)


def test_only_what_was_seen_is_replaced(profile_of: Callable[..., Profile], tmp_path: Path) -> None:
    place = tmp_path / "line.json"
    one, other, another = (profile_of(SCORES[number:], name="a") for number in range(3))
    assert put_profile(place, one, instead_of=None)
    assert not put_profile(place, other, instead_of=None)
    assert put_profile(place, other, instead_of=read_profile(place))
    assert not put_profile(place, another, instead_of=one)
    assert read_profile(place) == other.lying_in(tmp_path).read_from(str(place))
    seen = stamp(place)
    assert replace_profiles(place, another, seen=seen)
    assert not replace_profiles(place, one, seen=seen)
    assert read_profile(place).image == another.image
    place.unlink()
    assert not replace_profiles(place, one, seen=seen)
    place.write_text("damaged")
    assert not put_profile(place, one, instead_of=None)


def good_pictures(folder: Path) -> None:
    folder.mkdir()
    for number in range(6):
        pixels = np.random.default_rng(number).integers(90, 160, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def test_two_runs_of_calibrate_add_make_one_file_of_two_profiles(tmp_path: Path) -> None:
    good_pictures(tmp_path / "good")
    place = tmp_path / "plant.json"
    call = [sys.executable, "-m", "anomalyclip", "calibrate", str(tmp_path / "good"), "--fpr", "0.2", "--add"]
    call += ["--no-self-test", "--no-plot", "--quiet", "--image-size", "64", "--output", str(place), "--name"]
    runs = [subprocess.Popen([*call, name]) for name in ("a", "b")]
    assert [run.wait(240) for run in runs] == [0, 0]
    assert set(read_profiles(place)) == {"a", "b"}


@pytest.mark.parametrize(
    ("options", "meanwhile", "kept", "second"),
    [
        (["--add"], "other", {"first", "other", "second"}, False),
        (["--add"], "second", {"first", "second"}, True),
        (["--add", "--overwrite"], "first", {"first", "second"}, False),
        (["--overwrite"], "other", {"first", "other"}, True),
    ],
)
def test_what_came_while_a_run_calibrated_stays(
    options: list[str],
    meanwhile: str,
    kept: set[str],
    second: bool,
    profile_of: Callable[..., Profile],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """second: whether the run's own profile goes into a file of its own, as what it was to replace is no more."""
    place, recipe, theirs = tmp_path / "line.json", CalibrateJob._recipe, profile_of(SCORES, name=meanwhile)
    good_pictures(tmp_path / "good")
    write_profiles(place, [profile_of(SCORES[1:], name="first")])

    def then(self, made):
        before = read_profiles(place).get(meanwhile)
        assert put_profile(place, theirs, instead_of=before)
        return recipe(self, made)

    monkeypatch.setattr(CalibrateJob, "_recipe", then)
    call = ["calibrate", str(tmp_path / "good"), "--fpr", "0.2", "--name", "second", "--no-self-test", "--no-plot"]
    result = CliRunner().invoke(app, [*call, "--quiet", "-o", str(place), *options])
    now = read_profiles(place)
    assert set(now) == kept
    assert now[meanwhile].image == theirs.image
    assert (tmp_path / "line-2.json").exists() == second == (result.exit_code != 0)
    if second:
        assert "line-2.json" in str(result.exception) + result.output
        assert read_profile(tmp_path / "line-2.json").name == "second"


def test_a_run_that_comes_second_says_where_its_profile_is(
    profile_of: Callable[..., Profile], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, recipe = tmp_path / "line.json", CalibrateJob._recipe
    good_pictures(tmp_path / "good")

    def meanwhile(self, made):
        write_profiles(place, [profile_of(SCORES, name="first")])
        return recipe(self, made)

    monkeypatch.setattr(CalibrateJob, "_recipe", meanwhile)
    call = ["calibrate", str(tmp_path / "good"), "--fpr", "0.2", "--name", "second", "--no-self-test", "-o", str(place)]
    result = CliRunner().invoke(app, call)
    assert result.exit_code != 0
    assert "line-2.json" in str(result.exception) + result.output
    assert read_profile(place).name == "first"
    assert read_profile(tmp_path / "line-2.json").name == "second"
