"""A real video file: the frames that are wanted, in order, continued in the middle, and files that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from anomalyclip.errors import InputError
from anomalyclip.watching.arrival import FrameMark
from anomalyclip.watching.capture import Rate, is_live, without_password
from anomalyclip.watching.journal import Journal
from anomalyclip.watching.source_video import VideoSource

FRAMES, STEP = 12, 20


@pytest.fixture
def video(tmp_path: Path) -> Callable[..., Path]:
    """video("a.avi") is a file of 12 frames at 10 per second; frame i is grey of value 20 i."""

    def write(name: str, fps: float = 10.0) -> Path:
        path = tmp_path / name
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
        assert writer.isOpened()
        for i in range(FRAMES):
            writer.write(np.full((48, 64, 3), i * STEP, np.uint8))
        writer.release()
        return path

    return write


def _number(image: Image.Image) -> int:
    return round(float(np.asarray(image).mean()) / STEP)


def _numbers(source: VideoSource, journal: Journal, limit: int = 100) -> list[int]:
    numbers = []
    for item in source.arrivals():
        numbers.append(_number(source.read(item)))
        assert item.path.endswith(f".avi#frame={numbers[-1]}")
        journal.remember(source.settle(item))
        if len(numbers) == limit:
            break
    source.close()
    return numbers


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        (Rate(), range(12)),
        (Rate(every=5), [0, 5, 10]),
        (Rate(fps=2), [0, 5, 10]),
        (Rate(fps=100), range(12)),
    ],
)
def test_wanted_frames_come_in_order(
    video: Callable[..., Path], journal: Journal, rate: Rate, expected: list[int]
) -> None:
    source = VideoSource(str(video("belt.avi")), journal, rate)
    assert not source.finished
    assert _numbers(source, journal) == list(expected)
    assert source.finished


def test_a_stopped_watch_goes_on_with_the_next_frame_and_another_file_from_its_start(
    video: Callable[..., Path], journal: Journal
) -> None:
    path = video("belt.avi")
    assert _numbers(VideoSource(str(path), journal, Rate(every=2)), journal, limit=3) == [0, 2, 4]
    assert _numbers(VideoSource(str(path), journal, Rate(every=2)), journal) == [6, 8, 10]
    assert _numbers(VideoSource(str(path), journal, Rate(every=2)), journal) == []
    path = video("belt.avi", fps=25.0)
    assert _numbers(VideoSource(str(path), journal, Rate(every=6)), journal) == [0, 6]


def test_frames_that_were_read_but_not_settled_come_again(video: Callable[..., Path], journal: Journal) -> None:
    path = str(video("belt.avi"))
    source = VideoSource(path, journal, Rate())
    ahead = [item for item, _ in zip(source.arrivals(), range(4), strict=False)]
    assert source.settle(ahead[0]).following == 1
    journal.remember(FrameMark(source.settle(ahead[1]).key, 2))
    source.close()
    assert _numbers(VideoSource(path, journal, Rate()), journal)[0] == 2


@pytest.mark.parametrize("content", [b"", b"no video at all" * 100])
def test_files_that_are_no_video_are_refused(tmp_path: Path, journal: Journal, content: bytes) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"x\.mp4 cannot be opened as a video"):
        VideoSource(str(path), journal, Rate())
    with pytest.raises(InputError, match="No such file"):
        VideoSource(str(tmp_path / "missing.mp4"), journal, Rate())


def test_what_is_live() -> None:
    live = ["camera:0", "rtsp://10.0.0.7/stream", "RTSP://x/y", "http://10.0.0.7/video.mjpg"]
    assert [is_live(target) for target in live] == [True] * 4
    assert not any(is_live(target) for target in ["camera:x", "camera", "belt.mp4", "C:/in", "in/rtsp", "camera:0/"])


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("rtsp://admin:pa@ss@10.0.0.7:554/s?token=1#x", "rtsp://10.0.0.7:554/s"),
        ("http://[::1]:80/v", "http://[::1]:80/v"),
        ("camera:0", "camera:0"),
        ("dir/a@b.mp4", "dir/a@b.mp4"),
    ],
)
def test_passwords_are_not_shown(target: str, shown: str) -> None:
    assert without_password(target) == shown
