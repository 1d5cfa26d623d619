"""SIGTERM while a decoder has an hour to go: every verb ends, and the file has no mark against it."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomalyclip.cli import _watch_job, main
from anomalyclip.io import decoder_process, isolation

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no signals to send")
FAULTS = Path(__file__).parents[1] / "io" / "faults"
ENDLESS = (97, 92)  # pixels of a picture whose decoder sleeps for an hour
MODEL = ("--image-size", "96", "--offline")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What decoders were asked; the first time that one is given the endless picture, this process gets a SIGTERM."""
    told: list[str] = []
    over = threading.Event()
    ask = decoder_process.Child.ask

    def told_first(child: Any, request: dict[str, Any], *rest: Any) -> Any:
        if b"endless" in bytes.fromhex(request["path"] or "") + request["name"].encode() and not told:
            told.append(request["ask"])
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Thread(target=wake, daemon=True).start()
        return ask(child, request, *rest)

    def wake() -> None:
        # A signal that comes in the microsecond before the main thread waits for a lock is not heard while it waits.
        while not over.wait(0.05):
            signal.pthread_kill(threading.main_thread().ident, signal.SIGURG)

    def too_late(number: int, frame: object) -> None:
        raise AssertionError("it waits for the decoder")

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAULTS), *filter(None, [os.environ.get("PYTHONPATH")])]))
    monkeypatch.setattr(decoder_process.Child, "ask", told_first)
    monkeypatch.setattr(decoder_process.Child, "_watch", lambda *_: None)  # no clock: who ends it is the signal
    before = {signal.SIGALRM: too_late, signal.SIGURG: lambda *_: None}
    before = {number: signal.signal(number, handler) for number, handler in before.items()}
    signal.alarm(300)
    try:
        yield told
    finally:
        signal.alarm(0)
        over.set()
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pictures, an endless one among them: as a folder, and as a data set around it."""
    test = tmp_path / "part" / "test"
    for place, names in ((test / "good", "abcd"), (test / "bad", "xy"), (tmp_path / "part" / "train" / "good", "tu")):
        place.mkdir(parents=True)
        for number, name in enumerate(names):
            Image.new("RGB", (40 + number, 30 + len(names)), (9, 9, 200)).save(place / f"{name}.png")
    Image.new("RGB", ENDLESS).save(test / "good" / "endless.bmp")
    return test / "good"


VERBS: dict[str, Callable[[Path, Path], list[object]]] = {
    "detect": lambda good, out: ["detect", good, "-o", out, "--threshold", "0.5", *MODEL],
    "mutual": lambda good, out: ["detect", good, "-o", out, "--mutual", *MODEL],
    "calibrate": lambda good, out: ["calibrate", good, "-o", out.with_suffix(".json"), "--fpr", "0.5", *MODEL],
    "evaluate": lambda good, out: ["evaluate", good.parents[2], "--missing-masks", "image-only", "-o", out, *MODEL],
    "train": lambda good, out: ["train", f"part={good.parents[1]}", "-o", out, "--epochs", "1", *MODEL],
    "export": lambda good, out: ["export", "pocket", "-o", out, "--precision", "int8", "--calibration", good, *MODEL],
    "check": lambda good, out: ["data", "check", good.parents[1], "--missing-masks", "image-only"],
}


def ended(arguments: list[object]) -> int:
    with pytest.raises(SystemExit) as end:
        main([str(one) for one in arguments])
    assert not [one for one in threading.enumerate() if one.name.startswith("anomalyclip-read")]
    return int(end.value.code or 0)


@pytest.mark.parametrize("verb", VERBS)
def test_no_verb_waits_for_a_decoder(verb: str, asked: list[str], folder: Path, tmp_path: Path) -> None:
    assert ended(VERBS[verb](folder, tmp_path / "out")) == 130
    assert asked, "the picture was read apart"
    assert not list(tmp_path.rglob("*attempts.txt")), "no mark against a file that did nothing"
    assert not [path for path in tmp_path.rglob(".*") if path.suffix in (".tmp", ".making", ".old")]


def test_a_watch_breaks_off_after_its_grace_and_takes_the_file_again(
    asked: list[str], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_watch_job, "_GRACE", 0.01)
    watch = ["watch", folder, "-o", tmp_path / "out", "--once", "--settle", "0", "--threshold", "0.5", *MODEL]
    ended([*watch, "--isolate", "auto"])
    assert asked
    Image.new("RGB", (50, 40)).save(folder / "endless.bmp")
    assert ended(watch) == 0
    rows = (tmp_path / "out" / "results.jsonl").read_text("utf-8").splitlines()
    assert sum("endless" in row for row in rows) == 1
    assert not any("ending" in row for row in rows)


def test_a_correction_that_is_broken_off_changes_nothing(asked: list[str], folder: Path, tmp_path: Path) -> None:
    endless, line, out = folder / "endless.bmp", tmp_path / "line.json", tmp_path / "out"
    hostile = endless.read_bytes()
    Image.new("RGB", (60, 50), (9, 9, 180)).save(endless)
    asked.append("not yet")
    assert ended(["calibrate", folder, "-o", line, "--fpr", "0.5", "--no-plot", *MODEL]) == 0
    assert ended(["detect", folder, "-o", out, "--profile", line, *MODEL]) == 0
    endless.write_bytes(hostile)
    before = {path: path.read_bytes() for path in tmp_path.rglob("line*") if path.is_file()}
    asked.clear()
    assert ended(["correct", out, "--profile", line, "--normal", "endless.bmp"]) == 130
    assert asked
    assert {path: path.read_bytes() for path in tmp_path.rglob("line*") if path.is_file()} == before


def test_nothing_is_read_after_the_end(tmp_path: Path) -> None:
    decoders = isolation.Decoders(1)
    decoders.stop()
    with pytest.raises(isolation.Ended, match="the program is ending"):
        decoders.read(tmp_path / "a.bmp")
