"""The place that is taken while there is room holds what waits, in order, whatever a kill leaves half written."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from anomalyclip.watching import room
from anomalyclip.watching.room import Evidence, Waiting


def _evidence(number: int, size: int = 100) -> Evidence:
    return Evidence(number.to_bytes(16, "big"), f"evidence-{number}", {"image.png": bytes([number % 256]) * size})


def _left(path: Path) -> list[Evidence]:
    return [one for one, _ in Waiting(path)._queue]


def test_what_is_left_is_what_a_list_would_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand random steps, looked at as after a kill, against a plain list."""
    monkeypatch.setattr(room, "MOST_WAITING", 1 << 14)
    waiting, expected, rng = Waiting(tmp_path / "room"), list[Evidence](), random.Random(0)
    for number in range(600):
        step = rng.random()
        if step < 0.6 or not expected:
            expected.append(_evidence(number, rng.randrange(900)))
            waiting.add(expected[-1])
        elif step < 0.9:
            assert waiting.done() == expected.pop(0)
        else:
            waiting.drop(expected.pop(rng.randrange(len(expected))).key)
        while sum(one.size for one in expected) > 1 << 14:
            expected.pop(0)
        assert [one for one, _ in waiting._queue] == expected
        if waiting.kept == len(expected) and number % 10 == 0:
            assert _left(tmp_path / "room") == expected


def test_a_half_written_entry_is_the_end(tmp_path: Path) -> None:
    waiting = Waiting(tmp_path / "room")
    for number in range(3):
        waiting.add(_evidence(number))
    content = bytearray((tmp_path / "room").read_bytes()[:4096])
    content[content.rindex(bytes([2]) * 100) + 50] ^= 1
    (tmp_path / "room").write_bytes(content)
    assert _left(tmp_path / "room") == [_evidence(0), _evidence(1)]


@pytest.mark.parametrize("name", ["../x", "a/b", "..", "", "a\\b"])
def test_names_that_leave_the_ring_are_no_entries(tmp_path: Path, name: str) -> None:
    waiting = Waiting(tmp_path / "room")
    waiting.add(Evidence(b"\0" * 16, name, {"image.png": b"x"}))
    waiting.add(Evidence(b"\0" * 16, "a", {name: b"x"}))
    waiting.add(_evidence(1))
    assert _left(tmp_path / "room") == [_evidence(1)]


def test_it_takes_a_small_part_of_what_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room.shutil, "disk_usage", lambda path: type("", (), {"free": 160_000}))
    waiting = Waiting(tmp_path / "room")
    waiting.add(_evidence(1, 1000))
    assert (tmp_path / "room").stat().st_size == 10_000
    waiting.add(_evidence(2, 20_000))
    assert (len(waiting), waiting.kept) == (2, 1)
    waiting.close()
    assert _left(tmp_path / "room") == [_evidence(1, 1000)]
