"""The output folder's own housekeeping."""

from __future__ import annotations

from pathlib import Path

from anomalyclip.detect.folder import sweep


def test_sweep_removes_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "maps" / "deep").mkdir(parents=True)
    gone = [tmp_path / ".0123456789abcdef.tmp", tmp_path / "maps" / "deep" / ".fedcba9876543210.tmp"]
    kept = [tmp_path / ".notes.tmp", tmp_path / "maps" / "a.tiff", tmp_path / "0123456789abcdef.tmp"]
    for file in (*gone, *kept):
        file.write_bytes(b"x")
    sweep(tmp_path)
    assert [file.exists() for file in gone] == [False, False]
    assert all(file.exists() for file in kept)
