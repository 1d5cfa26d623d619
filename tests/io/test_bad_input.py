"""Files that cannot be read: one `ImageReadError`, one line, with the path, the reason and a remedy."""

from __future__ import annotations

import os
import re
import resource
import struct
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from tests.io.headers import chunk, problem, tiff_header

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image, read_image_bytes, read_mask
from anomalyclip.io.regular import open_regular

FORMATS = ["jpeg", "progressive", "png", "png16", "bmp", "gif", "tiff", "lzw", "float", "webp", "lossless"]


def outcome(data: bytes) -> str:
    """The mode of what was read, or the message of our own error; anything else is raised."""
    try:
        return read_image_bytes(data, max_pixels=100_000).mode
    except ImageReadError as error:
        return str(error)


@pytest.mark.parametrize("read", [read_image, read_mask])
def test_paths(tmp_path, read):
    assert "no such file" in problem(tmp_path / "missing.png", read)
    assert "addresses are not opened here: download it" in problem("https://example.com/a.png", read)
    assert "is a folder" in problem(tmp_path, read)
    assert "NUL" in problem("a\0b.png", read)
    with pytest.raises(ImageReadError, match=r"^'': the path is empty"):
        read("")
    assert "too long" in problem(tmp_path / ("x" * 300), read)
    (tmp_path / "file").write_bytes(b"")
    assert "not a folder" in problem(tmp_path / "file" / "a.png", read)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert "leads back to itself" in problem(tmp_path / "loop", read)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    assert "no such file" in problem(tmp_path / "dangling", read)


def test_pipes_and_devices_do_not_block(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    assert "it is a named pipe, not a regular file" in problem(tmp_path / "pipe.png")
    assert "it is a device, not a regular file" in problem("/dev/zero")


def test_names_that_cannot_be_printed_are_escaped(tmp_path):
    with pytest.raises(ImageReadError, match=re.escape("caf\\xe9\\n.png: there is no such file")) as caught:
        read_image(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9\n.png"))
    str(caught.value).encode("utf-8")


def test_permission_denied(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"secret")
    path.chmod(0)
    if os.geteuid() == 0:  # the superuser reads everything

        def refuse(*_args, **_kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
    assert "permission denied; make the file and its folder readable" in problem(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty (0 bytes)"),
        (b"hello, I am text", "not an image"),
        (b"\0" * 4096, "not an image"),
        (b"%PDF-1.7\n", "a PDF document"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "PostScript"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC"),
        (b"\0\0\0\x20ftypavif\0\0\0\0", "AVIF"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "JPEG 2000"),
        (b"qoif\0\0\0\2\0\0\0\2\3\0........", "not an image"),  # Pillow knows it, the allow-list does not
        (b"PK\x03\x04....", "ZIP"),
        (b"NITF02.10" + bytes(300), "NITF"),
        (b"EHFA_HEADER_TAG\0" + bytes(300), "ERDAS IMAGINE"),
        (b"CDF\1" + bytes(300), "netCDF"),
        (b"\x8bJNG\r\n\x1a\n" + bytes(300), "JNG"),
        (
            bytes(512) + b"\0\x11\2\xff" + bytes([1] * 40),
            "not an image (it starts with bytes 00 00",
        ),  # PICT: not all zeros
    ],
)
def test_what_is_no_image_is_named(tmp_path, content, says):
    (tmp_path / "a.png").write_bytes(content)
    assert says in problem(tmp_path / "a.png")
    with pytest.raises(ImageReadError, match=re.escape(says)):
        read_image_bytes(content, "a.png")


def test_every_magic_alone_is_refused(tmp_path, valid_files):
    for name, data in valid_files.items():
        for length in range(1, 40):
            (tmp_path / name).write_bytes(data[:length])
            problem(tmp_path / name)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(valid_files, tmp_path, name, share, capfd):
    data = valid_files[name]
    (tmp_path / "a").write_bytes(data[: int(len(data) * share)])
    message = problem(tmp_path / "a")
    assert re.search("truncated|cut off|damaged", message)
    assert "copy or export the file again" in message
    problem(tmp_path / "a", read_mask)
    assert capfd.readouterr() == ("", "")  # no complaints of C libraries in the middle of a progress bar


@pytest.mark.parametrize("name", ["jpeg", "png", "bmp", "gif", "tiff", "lzw", "float"])
def test_truncation_is_called_by_its_name(valid_files, tmp_path, name):
    (tmp_path / "a").write_bytes(valid_files[name][: len(valid_files[name]) * 3 // 4])
    assert "the file is truncated" in problem(tmp_path / "a")


def test_reading_leaves_pillows_settings_alone(valid_files):
    read_image_bytes(valid_files["jpeg"])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    assert Image.MAX_IMAGE_PIXELS == 89_478_485


@settings(max_examples=250, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cut_or_damage_gives_an_image_or_our_error(valid_files, data):
    whole = bytearray(valid_files[data.draw(st.sampled_from(FORMATS))])
    del whole[data.draw(st.integers(0, len(whole))) :]
    for _ in range(data.draw(st.integers(0, 3))):
        if whole:
            whole[data.draw(st.integers(0, min(len(whole) - 1, 400)))] = data.draw(st.integers(0, 255))
    assert "\n" not in outcome(bytes(whole))


@settings(max_examples=150, deadline=5000)
@given(
    st.sampled_from(
        [b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"BM", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]
    ),
    st.binary(max_size=300),
)
def test_random_bytes_give_an_image_or_our_error(magic, tail):
    assert outcome(magic + tail).startswith(("RGB", "image: "))


# --- layouts that no decoder here handles


def test_a_repeated_size_tag_is_refused(tmp_path):
    data = tiff_header(4, 4)
    entry = struct.pack("<HHII", 256, 4, 1, 50_000)
    (tmp_path / "a.tif").write_bytes(data[:8] + struct.pack("<H", 8) + entry + data[10:])
    assert "TIFF tag 256 is repeated" in problem(tmp_path / "a.tif")


def test_running_out_of_memory_is_reported(tmp_path, monkeypatch):
    Image.new("L", (3, 3)).save(tmp_path / "a.png")

    def starve(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(ImageFile.ImageFile, "load", starve)
    assert "not enough memory" in problem(tmp_path / "a.png")


def test_the_room_is_light_to_import():
    code = "import sys, anomalyclip.io as io; dir(io); print({'PIL', 'cv2', 'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_reading_from_many_threads_at_once(valid_files):
    from concurrent.futures import ThreadPoolExecutor

    expected = {name: np.asarray(read_image_bytes(data)) for name, data in valid_files.items()}
    with ThreadPoolExecutor(8) as pool:
        got = list(pool.map(lambda name: (name, np.asarray(read_image_bytes(valid_files[name]))), FORMATS * 8))
    assert all(np.array_equal(image, expected[name]) for name, image in got)


def test_a_chunk_that_declares_gigabytes_is_not_believed(png16, tmp_path):
    """OpenCV alone takes 4 GB and ten seconds for these few bytes."""
    data = png16(np.zeros((4, 4, 3), np.uint16))
    at = data.index(b"IDAT") - 4
    (tmp_path / "a.png").write_bytes(data[:at] + b"\xff\0" + data[at + 2 :])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert "truncated" in problem(tmp_path / "a.png")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kB


def test_private_tiff_tags_cause_no_comments(tmp_path, capfd):
    deep = np.random.default_rng(0).integers(0, 65536, (40, 30, 3), dtype=np.uint16)
    deep[0, 0] = 65535
    tags = [(65_000, 2, 0, "camera", True), (37_510, 12, 3, (1.0, 2.0, 3.0), True)]
    for options in (
        {},
        {"bigtiff": True},
        {"byteorder": ">"},
        {"tile": (16, 16), "compression": "zlib", "predictor": True},
    ):
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=tags, **options)
        expected = np.floor(deep / 65535 * 255 + 0.5)
        np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "a.tif")), expected)
    assert capfd.readouterr() == ("", "")


def test_a_strip_cut_short_is_found_before_decoding(tmp_path):
    data = tiff_header(8, 8, t258=(16,), t279=(128,))
    start = len(data)
    data = tiff_header(8, 8, t258=(16,), t273=(start,), t279=(128,)) + bytes(127)
    (tmp_path / "a.tif").write_bytes(data)
    assert f"pixel data ends at byte {start + 128}, the file at {start + 127}" in problem(tmp_path / "a.tif")
    (tmp_path / "a.tif").write_bytes(data + b"\0")
    assert read_image(tmp_path / "a.tif").size == (8, 8)


def test_a_second_png_header_is_refused(png16, tmp_path):
    second = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    (tmp_path / "a.png").write_bytes(png16(np.zeros((4, 4, 3), np.uint16), second))
    assert "two headers" in problem(tmp_path / "a.png")


@pytest.mark.skipif(not os.access("/proc/kmsg", os.R_OK), reason="needs Linux and root")
def test_a_file_that_would_block_has_ended(tmp_path):
    """The kernel's log calls itself a regular file, and is silent until there is news."""
    (tmp_path / "a.png").symlink_to("/proc/kmsg")
    for read in (lambda file: file.read(), lambda file: file.read(10), lambda file: file.read1(10)):
        with open_regular(tmp_path / "a.png") as file:
            while read(file):
                pass
    with pytest.raises(ImageReadError):
        read_image(tmp_path / "a.png")
