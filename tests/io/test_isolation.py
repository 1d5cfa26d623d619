"""Decoding in a process that can be ended: the same pictures, and every way of not getting one."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from anomalyclip.errors import ImageReadError
from anomalyclip.io import isolated, isolation, notes_of, read_image, read_image_bytes
from anomalyclip.io.isolation import Decoders, NotQuick, Ticket

FAULTS = Path(__file__).parent / "faults"
sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks/siege"))
from seeds import FORMATS  # noqa: E402


@pytest.fixture(scope="module")
def decoders() -> Iterator[Decoders]:
    """Whose process knows sizes that kill it (`faults/sitecustomize.py`)."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(FAULTS), before]))
    pool = Decoders(1, seconds=1, clock=60)
    try:
        yield pool
    finally:
        pool.close()
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_picture_of_bytes_and_of_a_path_is_what_reading_it_here_gives(decoders, tmp_path):
    data = png(70, 40)
    path = tmp_path / "päth\udcff.png" if os.name == "posix" else tmp_path / "a.png"
    path.write_bytes(data)
    there, here = decoders.read(data), read_image_bytes(data)
    assert there.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(there), np.asarray(here))
    np.testing.assert_array_equal(np.asarray(decoders.read(path)), np.asarray(read_image(path)))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_there_as_here(decoders, name, tmp_path):
    """Also those that need more than their file: a temporary file, another library."""
    try:
        files = FORMATS[name]()
    except ImportError as error:
        pytest.skip(f"{error.name} is not installed")
    for number, data in enumerate(files):
        path = tmp_path / str(number)
        path.write_bytes(data)
        for source in (data, path):
            read = read_image_bytes if isinstance(source, bytes) else read_image
            try:
                here = np.asarray(read(source, frame=0))
            except ImageReadError as error:
                with pytest.raises(ImageReadError, match=re.escape(str(error))):
                    decoders.read(source, frame=0)
                continue
            np.testing.assert_array_equal(np.asarray(decoders.read(source, frame=0)), here)


def test_notes_and_full_scale_come_along(decoders, tmp_path):
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, np.linspace(0, 4095, 64 * 48, dtype=np.uint16).reshape(48, 64))
    there = decoders.read(path, full_scale=4095)
    assert notes_of(there) == notes_of(read_image(path, full_scale=4095)) != ()
    assert np.asarray(there).max() == 255


def test_a_refusal_is_the_one_of_reading_it_here(decoders, tmp_path):
    junk = tmp_path / "junk.png"
    junk.write_bytes(png(64, 64)[:200])
    with pytest.raises(ImageReadError) as there:
        decoders.read(junk)
    with pytest.raises(ImageReadError) as here:
        read_image(junk)
    assert str(there.value) == str(here.value)
    with pytest.raises(ImageReadError, match="limit"):
        decoders.read(png(70, 40), max_pixels=100)


def test_a_crash_costs_one_picture(decoders):
    with pytest.raises(ImageReadError, match=r"image: its decoder's process was ended by SIGSEGV"):
        decoders.read(png(97, 89))
    assert decoders.read(png(70, 40)).size == (70, 40)


def test_a_decoder_that_never_ends_is_ended(decoders):
    start = time.monotonic()
    with pytest.raises(ImageReadError, match="took more than 1 s"):
        decoders.read(png(97, 90))
    assert time.monotonic() - start < 45
    assert decoders.read(png(70, 40)).size == (70, 40)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers of CPU")
def test_one_that_is_to_be_quick_is_given_up_and_costs_no_process(decoders, monkeypatch):
    decoders.read(png(70, 40))

    def another(nice: int = 0) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr(isolation, "Child", another)
    with pytest.raises(NotQuick):
        decoders.read(png(97, 90), quick=0.1)
    assert decoders.read(png(70, 40), quick=60).size == (70, 40)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers of CPU")
def test_one_that_does_not_come_back_is_ended_for_it(decoders):
    with pytest.raises(NotQuick):
        decoders.read(png(97, 95), quick=0.1)
    assert decoders.read(png(70, 40)).size == (70, 40)


def test_libraries_are_loaded_before_the_time_of_a_quick_picture_begins(monkeypatch):
    loaded: list[str] = []
    monkeypatch.setattr(isolated, "import_module", loaded.append)
    dicom = b"\0" * 128 + b"DICM" + b"\0" * 64
    for message, data in (({"quick": 0.1}, dicom), ({"quick": None}, dicom), ({"quick": 0.1}, b"junk")):
        isolated._load_for(message, bytearray(data))
    assert loaded == ["pydicom", "anomalyclip.io.dicom", "anomalyclip.io.dicom_pixels"]


def test_one_that_waits_for_nothing_is_ended_by_the_clock(decoders, monkeypatch):
    monkeypatch.setattr(decoders, "_clock", 0.3)
    with pytest.raises(ImageReadError, match="took more than"):
        decoders.read(png(97, 92))


@pytest.mark.skipif(isolation.lacking() is not None, reason="what a process computes is told on Linux")
def test_one_that_computes_longer_than_the_clock_is_not(decoders, monkeypatch):
    """As a healthy picture on a machine that is busy with other things."""
    monkeypatch.setattr(decoders, "_clock", 0.1)
    assert decoders.read(png(97, 94)).size == (97, 94)


@pytest.mark.skipif(isolation.lacking() is not None, reason="memory is bounded on Linux")
def test_a_decoder_that_takes_more_memory_than_the_header_says_is_refused(decoders):
    with pytest.raises(ImageReadError, match="not enough memory"):
        decoders.read(png(97, 91))
    assert decoders.read(png(70, 40)).size == (70, 40)


def test_a_ticket_ends_the_work_under_way(decoders):
    ticket = Ticket()
    threading.Timer(0.3, ticket.cancel).start()
    with pytest.raises(ImageReadError, match="the request has ended"):
        decoders.read(png(97, 92), ticket=ticket)
    with pytest.raises(ImageReadError, match="the request has ended"):
        decoders.read(png(70, 40), ticket=ticket)
    assert decoders.read(png(70, 40)).size == (70, 40)


def test_a_survey_reads_headers_only(decoders):
    found = decoders.survey(png(97, 89))  # whose pixels would kill it
    assert (found.number, found.pixels) == (1, 97 * 89)
    assert found.decoded >= 97 * 89 * 3


def test_what_a_library_prints_is_no_answer(decoders, capfd):
    assert decoders.read(png(97, 93)).size == (97, 93)
    assert capfd.readouterr() == ("", "")


class FakeChild:
    """A process that comes up when it is waited for, and ends when it is sent b"bomb"."""

    made: list[FakeChild]

    def __init__(self, nice: int = 0) -> None:
        self.up = self.ended = False
        self.served: list[bytes] = []
        FakeChild.made.append(self)

    def wait(self) -> None:
        self.up = True

    def ask(self, request: dict, data: bytes, seconds: float) -> tuple[dict, bytearray]:
        self.served.append(data)
        if data == b"bomb":
            self.ended, self.up = True, False
            raise isolation.Died(-9, overdue=True)
        return {"number": 1, "decoded": 1, "pixels": 1}, bytearray()

    def discard(self) -> None:
        self.ended = True


def test_nobody_waits_for_a_start_while_one_that_is_up_is_free(monkeypatch):
    FakeChild.made = []
    monkeypatch.setattr(isolation, "Child", FakeChild)
    pool = Decoders(2)
    pool.survey(b"first")
    pool._places.put((0, 1, FakeChild()))  # a second one that is up, in the place of none
    pool._places.queue[:] = [one for one in pool._places.queue if one[2] is not None]
    FakeChild.made[1].up = True
    with pytest.raises(ImageReadError, match="took more than"):
        pool.survey(b"bomb")
    assert len(FakeChild.made) == 3  # another is coming up before anybody asks
    pool.survey(b"healthy")
    assert FakeChild.made[1].served == [b"healthy"]
    assert not FakeChild.made[2].served
    pool.close()
    assert all(one.ended for one in FakeChild.made)
