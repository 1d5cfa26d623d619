"""Verbs come from a table and are imported only when they run."""

from __future__ import annotations

import sys

import pytest

from anomalyclip.cli import main
from anomalyclip.cli._group import MEANT, VERBS
from anomalyclip.version import __version__


def call(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(args)
    return int(ended.value.code or 0)


def test_help_lists_every_verb_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    text = capsys.readouterr().out
    for verb, line in VERBS.items():
        assert verb in text
        assert line in text


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_of_its_own(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(verb, "--help") == 0
    assert f"anomalyclip {verb}" in capsys.readouterr().out
    assert f"anomalyclip.cli.{verb}" in sys.modules


@pytest.mark.parametrize(("asked", "same"), [(["help"], ["--help"]), (["help", "models"], ["models", "--help"])])
def test_help_is_a_verb_too(asked: list[str], same: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*same) == 0
    expected = capsys.readouterr().out
    assert call(*asked) == 0
    assert capsys.readouterr().out == expected


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out == f"anomalyclip {__version__}\n"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["detct"], "detect"),
        (["predict", "photos/"], "Did you mean detect?"),
        (["quantize"], "Did you mean export?"),
        (["help", "detct"], "Did you mean detect?"),
        (["--threshold", "0.5", "detect", "x.png"], "Options come after the verb: anomalyclip detect --threshold"),
        (["--nonsense"], "No such option '--nonsense'"),
        (["detect", ""], "There are no pictures to look at. '': no such file or folder"),
        (["detect", "no.png", "--threshold", "0.5", "--threshold", "0.9"], "--threshold is given more than once"),
        (["detect", "no.png", "--report", "--no-report"], "--report is given more than once: the last counts, False"),
        (["detect", "-"], "standard input is not read: give files"),
        (["detect"], "INPUT"),
        (["detect", "x.png", "--threshold", "1.5"], "error: --threshold 1.5 is out of range"),
        (["detect", "x.png", "--batch-size", "many"], "--batch-size"),
        (["detect", "x.png", "--batch-size", "8 pictures"], "'8 pictures' is no whole number: expected a whole"),
        (["detect", "x.png", "--threshold", "50%"], "expected a number, an image score from 0 to 1; give 0.5"),
        (["detect", "x.png", "--threshold", "0,5"], "from 0 to 1; give 0.5"),
        (["calibrate", "nowhere/"], "There are no pictures to look at. nowhere/: no such file or folder"),
        (["calibrate", "x.png", "--output", "."], "--output . is a folder: name a file, such as line.json"),
        (["detect", "x.png", "--maps", "tiff"], "add --output DIR"),
        (["detect", "no-such-[red]file.png"], "no-such-[red]file.png: no such file, and none"),
        (["detect", __file__, "--format", "xml"], "jsonl"),
    ],
)  # fmt: skip
def test_wrong_calls_end_with_2_and_say_what_is_wrong(
    args: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*args) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err
    assert "Traceback" not in captured.err


def test_what_is_meant_exists() -> None:
    assert {words.split()[0] for words in MEANT.values()} <= set(VERBS)
    assert not MEANT.keys() & VERBS.keys()
