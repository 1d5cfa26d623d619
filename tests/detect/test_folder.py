"""The output folder's own housekeeping."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomalyclip.detect.folder import check_same_run, sweep
from anomalyclip.errors import ConfigError


def test_sweep_removes_what_a_killed_run_left_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "maps" / "deep").mkdir(parents=True)
    gone = [tmp_path / ".0123456789abcdef.tmp", tmp_path / "maps" / "deep" / ".fedcba9876543210.tmp"]
    kept = [tmp_path / ".notes.tmp", tmp_path / "maps" / "a.tiff", tmp_path / "0123456789abcdef.tmp"]
    for file in (*gone, *kept):
        file.write_bytes(b"x")
    sweep(tmp_path)
    assert [file.exists() for file in gone] == [False, False]
    assert all(file.exists() for file in kept)


@pytest.mark.parametrize(
    ("changed", "way"),
    [
        (
            {"weights_sha256": "b" * 64},
            r"a{12}\.\.\. then, b{12}\.\.\. now\. The weights of that name are others now, .*: ",
        ),
        ({"weights_sha256": "b" * 64, "model": "other"}, "Use the same options, "),
        ({"sigma": 2.0}, "Use the same options, "),
    ],
)
def test_no_options_are_asked_for_that_would_not_help(changed: dict[str, object], way: str) -> None:
    before = {"model": "pocket", "settings": {"weights_sha256": "a" * 64, "sigma": 4.0}}
    now = {"model": changed.pop("model", "pocket"), "settings": {**before["settings"], **changed}}  # type: ignore[dict-item]
    with pytest.raises(ConfigError, match=f"{way}start again with --overwrite, or name another folder"):
        check_same_run(before, now, "out")
