"""A profile and its memory are one: killed at any moment or out of disk, the old pair or the new one is there."""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load, save

from anomalyclip.calibration import memory_file, read_profile, read_profiles, write_profiles
from anomalyclip.calibration.memory_file import packed, part_of, unpacked, waiting
from anomalyclip.calibration.profile import Profile
from anomalyclip.errors import InputError, OutputError
from anomalyclip.judges.memory.bank import make_bank
from anomalyclip.judges.memory.fusion import Mixture, Scale
from anomalyclip.judges.memory.line import Line
from anomalyclip.judges.memory.search import unit
from anomalyclip.judges.memory.source import Source

MEMORY = "line.default.memory.safetensors"


def lined(profile: Profile, seed: int) -> Profile:
    """A profile with a memory of random patches, which `seed` decides."""
    rng = np.random.default_rng(seed)
    bank = make_bank([unit(rng.normal(size=(9, 5)).astype(np.float32)) for _ in range(4)])
    line = Line(
        Source("stages", (4,)), bank, Mixture("auto", 1, 1, 1), rng.normal(size=3), np.ones(3), Scale(0.0, 1.0),
        Scale(0.0, 1.0), 4.0, names=("a", "b", "c", "d"), boxes=np.ones((36, 4), np.int32),
        sizes=np.full((4, 2), 9, np.int32),
    )  # fmt: skip
    data = packed(line, [b"jpeg"] * 4)
    part = part_of(line, file="x.memory.safetensors", data=data, held_out="each")
    return profile.model_copy(update={"memory": part, "made": f"2026-11-28T00:00:{seed:02}"}).holding(data)


@pytest.fixture
def pair(profile_of: Callable[..., Profile], tmp_path: Path) -> tuple[Path, list[Profile]]:
    """Where the first of two pairs lies, and both."""
    scores = np.linspace(0.1, 0.4, 20)
    two = [lined(profile_of(scores), seed) for seed in (1, 2)]
    two[0].save(tmp_path / "line.json")
    return tmp_path / "line.json", two


def which(path: Path, two: list[Profile]) -> int:
    """Which of the two pairs can be read; fails for a mixture."""
    found = read_profile(path)
    seed = [one.made for one in two].index(found.made)
    assert found.memory is not None
    assert found.memory_bytes() == two[seed].memory_bytes()
    assert found.opened().line.names == ("a", "b", "c", "d")
    return seed


def test_killed_before_any_step_it_is_the_old_pair_or_the_new_one(pair: tuple[Path, list[Profile]]) -> None:
    """A child dies before its k-th call that touches the disk, for every k until it comes through."""
    path, two = pair
    seen = []
    for step in range(60):
        two[0].save(path)
        child = os.fork()
        if not child:
            _die_at(step)
            two[1].save(path)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        seen.append(which(path, two))
        if not os.waitstatus_to_exitcode(status):
            break
    assert seen[0] == 0
    assert seen[-1] == 1, "it came through at last"
    assert seen == sorted(seen), "once the new pair is there, it stays"
    assert len(seen) > 5


def _die_at(step: int) -> None:
    left = [step]

    def counting(function: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            if not left[0]:
                os._exit(9)
            left[0] -= 1
            return function(*args, **options)

        return call

    for owner, name in ((os, "open"), (os, "fsync"), (Path, "write_bytes"), (Path, "replace"), (Path, "unlink")):
        setattr(owner, name, counting(getattr(owner, name)))


def test_killed_at_random_moments(pair: tuple[Path, list[Profile]], tmp_path: Path) -> None:
    """kill -9 while a process writes one pair after the other as fast as it can."""
    path, two = pair
    for number, profile in enumerate(two):
        profile.save(tmp_path / f"{number}.json")
    code = (
        "import sys; from anomalyclip.calibration import read_profile; a = [read_profile(p).in_hand() for p in "
        "sys.argv[2:]]; print(1, flush=True)\nwhile True: [one.save(sys.argv[1]) for one in a]"
    )
    command = [sys.executable, "-c", code, str(path), str(tmp_path / "0.json"), str(tmp_path / "1.json")]
    chance = random.Random(0)
    for _ in range(3):
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.05, 0.3))
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        which(path, two)


def test_a_folder_that_is_not_there_is_told_by_the_name_that_was_given(pair: tuple[Path, list[Profile]]) -> None:
    path, two = pair
    with pytest.raises(OutputError) as told:
        two[1].save(path.parent / "nodir" / "x.json")
    assert "nodir/x." in str(told.value)
    assert ".next" not in str(told.value)


def test_a_full_disk_leaves_the_old_pair(pair: tuple[Path, list[Profile]], monkeypatch: pytest.MonkeyPatch) -> None:
    path, two = pair
    before = sorted(path.parent.iterdir())
    write = Path.write_bytes
    for full_at in (0, 1):
        calls = [0]

        def until_full(self: Path, data: bytes, calls: list[int] = calls, full_at: int = full_at) -> int:
            calls[0] += 1
            if calls[0] > full_at:
                write(self, data[: len(data) // 2])
                raise OSError(28, "No space left on device")
            return write(self, data)

        monkeypatch.setattr(Path, "write_bytes", until_full)
        with pytest.raises(OutputError, match="the disk is full"):
            two[1].save(path)
        monkeypatch.setattr(Path, "write_bytes", write)
        assert which(path, two) == 0
        assert sorted(path.parent.iterdir()) == before, "nothing half-written stays"


def test_profiles_move_with_their_memories(pair: tuple[Path, list[Profile]], tmp_path: Path) -> None:
    path, _ = pair
    (tmp_path / "elsewhere").mkdir()
    shutil.move(path, tmp_path / "elsewhere")
    alone = read_profile(tmp_path / "elsewhere" / "line.json")
    with pytest.raises(InputError, match="is missing: it must lie beside the profile") as caught:
        alone.opened()
    assert "\n" not in str(caught.value)
    shutil.move(tmp_path / MEMORY, tmp_path / "elsewhere")
    alone.opened()
    alone.save(tmp_path / "copy.json")
    assert read_profile(tmp_path / "copy.json").memory_bytes() == alone.memory_bytes()


def test_profiles_of_one_file_keep_their_own_memories(pair: tuple[Path, list[Profile]]) -> None:
    path, two = pair
    other = two[1].model_copy(update={"name": "other"})
    write_profiles(path, [*read_profiles(path).values(), other])
    found = read_profiles(path)
    assert found["default"].memory_bytes() == two[0].memory_bytes()
    assert found["other"].memory_bytes() == two[1].memory_bytes()
    names = [found[name].memory.file for name in ("default", "other")]  # type: ignore[union-attr]
    assert names == [MEMORY, "line.other.memory.safetensors"]
    for first, second in ((0, 1), (1, 0)):  # swapped
        shutil.copy(path.with_name(names[first]), path.with_name("saved"))
        shutil.copy(path.with_name(names[second]), path.with_name(names[first]))
        with pytest.raises(InputError, match="not the one"):
            read_profiles(path)["default" if first == 0 else "other"].opened()
        shutil.copy(path.with_name("saved"), path.with_name(names[first]))


def test_what_waits_for_another_profile_is_not_taken(pair: tuple[Path, list[Profile]]) -> None:
    path, two = pair
    waiting(path.with_name(MEMORY)).write_bytes(two[1].memory_bytes())
    assert which(path, two) == 0
    path.with_name(MEMORY).unlink()
    with pytest.raises(InputError, match="not the one"):
        read_profile(path).opened()


def test_a_memory_that_takes_its_place_between_two_looks_is_found(
    pair: tuple[Path, list[Profile]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader of the new profile sees the old memory first; then the writer moves the one that waits."""
    path, two = pair
    place, look = path.with_name(MEMORY), memory_file._bytes
    old = place.read_bytes()
    two[1].save(path)
    waiting(place).write_bytes(place.read_bytes())
    place.write_bytes(old)

    def late(looked_at: Path) -> bytes | None:
        if looked_at == waiting(place) and looked_at.exists():
            looked_at.replace(place)
        return look(looked_at)

    monkeypatch.setattr(memory_file, "_bytes", late)
    assert which(path, two) == 1


def test_a_memory_whose_pictures_have_no_sides_is_refused(pair: tuple[Path, list[Profile]]) -> None:
    """With the right hash: where a fault is compared with such a picture, drawing that ended in a traceback."""
    part = pair[1][0].memory
    assert part is not None
    arrays = load(pair[1][0].memory_bytes())
    with pytest.raises(InputError, match="does not hold what a memory holds"):
        unpacked(part, save(arrays | {"sizes": arrays["sizes"] * -1}), Path("m"))
    unpacked(part, save(arrays), Path("m"))


@given(st.data())
def test_bytes_of_any_kind_with_the_right_hash_are_refused_or_read(data: st.DataObject) -> None:
    """Whoever edits the memory and the hash beside it: a line in the right shape, or one clear line of refusal."""
    rng = np.random.default_rng(3)
    bank = make_bank([unit(rng.normal(size=(4, 3)).astype(np.float32)) for _ in range(2)])
    line = Line(
        Source("stages", (4,)), bank, Mixture("auto", 1, 1, 1), np.zeros(3), np.ones(3), Scale(0.0, 1.0),
        Scale(0.0, 1.0), 4.0, names=("a", "b"), boxes=np.ones((8, 4), np.int32), sizes=np.ones((2, 2), np.int32),
    )  # fmt: skip
    content = bytearray(packed(line, [b"x", b"y"]))
    for _ in range(data.draw(st.integers(0, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    changed = bytes(content[: data.draw(st.integers(0, len(content)))]) if data.draw(st.booleans()) else bytes(content)
    part = part_of(line, file="m", data=changed, held_out="each")
    with suppress(InputError):
        opened = unpacked(part, changed, Path("m"))
        assert np.isfinite(opened.line.bank.rows).all()
        assert len(opened.line.boxes) == len(opened.line.bank.rows)


def test_a_memory_with_three_statistics_of_before_judges_as_it_did(pair: tuple[Path, list[Profile]]) -> None:
    line = read_profile(pair[0]).opened().line
    parts = np.random.default_rng(0).normal(size=8)
    part = pair[1][0].memory
    assert part is not None
    assert line.raw_scores(parts) == pytest.approx(np.mean((parts[:3] - part.centre) / part.spread))


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda memory: memory["centre"].pop(), "memory.centre"),
        (lambda memory: memory["spread"].append(1.0), "3 centres and 4 spreads"),
        (lambda memory: memory["mixture"].update(novelty=1.0), "3 centres and 3 spreads; expected as many of both, at"),
        (
            lambda memory: memory["spread"].__setitem__(1, 0.0),
            "memory.spread.1: Input should be greater than or equal to",
        ),
        (lambda memory: memory["spread"].__setitem__(1, 1e-320), "memory.spread.1: Input should be greater than or"),
        (lambda memory: memory["score_scale"].update(line=1e300), "memory.score_scale.line"),
        (lambda memory: memory["mixture"].update(words=1e300), "memory.mixture.words"),
        (lambda memory: memory.update(sigma=1e300), "memory.sigma"),
        (lambda memory: memory.update(layers=[]), "memory.layers"),
    ],
)
def test_numbers_edited_by_hand_that_no_line_has(
    pair: tuple[Path, list[Profile]], damage: Callable[[Any], Any], what: str
) -> None:
    content = json.loads(pair[0].read_text())
    damage(content["profiles"][0]["memory"])
    pair[0].write_text(json.dumps(content))
    with pytest.raises(InputError, match=what):
        read_profile(pair[0])


def test_rows_come_back_as_they_were_however_they_lay_in_memory(pair: tuple[Path, list[Profile]]) -> None:
    line = read_profile(pair[0]).opened().line
    turned = replace(line, bank=replace(line.bank, rows=np.asfortranarray(line.bank.rows)))
    assert packed(turned, [b"jpeg"] * 4) == packed(line, [b"jpeg"] * 4)


def test_a_memory_of_many_kinds_holds_what_its_pictures_have(pair: tuple[Path, list[Profile]]) -> None:
    line = read_profile(pair[0]).opened().line
    kinds = Mixture("many-kinds", 0, 1, 1, kind=1, kind_product=1)
    levels = np.random.default_rng(1).normal(size=(4, 2))

    def read(mixture: Mixture, kept: np.ndarray | None) -> Line:
        written = replace(line, mixture=mixture, levels=kept)
        data = packed(written, [b"jpeg"] * 4)
        return unpacked(part_of(written, file="x", data=data, held_out="each"), data, Path("x")).line

    found = read(kinds, levels)
    assert found.levels is not None
    np.testing.assert_array_equal(found.levels, levels)
    assert found.mixture == kinds
    for mixture, kept in ((kinds, None), (line.mixture, levels), (kinds, levels[:3]), (kinds, levels * np.nan)):
        with pytest.raises(InputError, match="does not hold what a memory holds"):
            read(mixture, kept)


def test_a_file_that_carries_another_memory_is_refused(pair: tuple[Path, list[Profile]], tmp_path: Path) -> None:
    from anomalyclip.calibration.writing import as_content

    path, two = pair
    content = as_content([read_profile(path)], memories=True)
    one = tmp_path / "one" / "line.json"
    one.parent.mkdir()
    one.write_text(json.dumps(content))
    assert which(one, two) == 0, "it needs nothing beside it"
    content["memories"] = as_content([two[1]], memories=True)["memories"]
    one.write_text(json.dumps(content))
    with pytest.raises(InputError, match="is not its own"):
        read_profile(one)
    content["memories"] = {"default": "?"}
    one.write_text(json.dumps(content))
    with pytest.raises(InputError, match="no base64"):
        read_profile(one)
    assert hashlib.sha256(two[0].memory_bytes()).hexdigest() == two[0].memory.sha256  # type: ignore[union-attr]
