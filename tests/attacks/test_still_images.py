"""Hostile pictures: refused from their headers, or read at the cost of what they are."""

from __future__ import annotations

import pytest


@pytest.fixture
def refused(attack):
    """refused("name", "reason"): soon, and without memory beyond copies of the file."""

    def check(name: str, reason: str) -> None:
        end = attack(name)
        assert end["end"].startswith("refused: attack: ")
        assert reason in end["end"]
        cheap(end)

    return check


@pytest.fixture
def harmless(attack):
    """harmless("name"): the picture is read, at the cost of the picture and of copies of the file."""

    def check(name: str) -> None:
        end = attack(name)
        assert end["end"].startswith("read as ")
        cheap(end)

    return check


def cheap(end: dict) -> None:
    assert end["seconds"] < 4
    assert end["grown_mb"] < 60 + 3 * end["file_mb"]


def test_tiff_tag_counts(refused):
    refused("tiff_tag_counts", "its TIFF pixels are of the unknown kind 4097")


def test_tiff_private_tags(harmless):
    harmless("tiff_private_tags")


def test_tiff_overlapping_directories(refused):
    refused("tiff_overlapping_directories", "directories of tags overlap")


def test_tiff_directory_loop(harmless):
    harmless("tiff_directory_loop")


def test_tiff_strip_table(refused):
    refused("tiff_strip_table", "cut into 30,000,000 strips")


def test_tiff_inflating_strip(harmless):
    harmless("tiff_inflating_strip")


def test_tiff_jpeg_larger_than_told(refused):
    refused("tiff_jpeg_larger_than_told", "is 13000 x 13000 with 1 samples, where its TIFF says 8 x 8")


def test_jpeg_scans(refused):
    refused("jpeg_scans", "scans, which is work without pixels")


def test_jpeg_exif_tags(harmless):
    harmless("jpeg_exif_tags")


def test_jpeg_segments(refused):
    refused("jpeg_segments", "more than 50,000 segments")


def test_png_chunks(refused):
    refused("png_chunks", "more than 200,000 chunks")


def test_png_texts(harmless):
    harmless("png_texts")


def test_png_exif_tags(harmless):
    harmless("png_exif_tags")


def test_webp_exif_tags(harmless):
    harmless("webp_exif_tags")


def test_avif_exif_tags(harmless):
    harmless("avif_exif_tags")


def test_gif_comment(harmless):
    harmless("gif_comment")


def test_gif_parts(refused):
    refused("gif_parts", "more than 1,000,000 parts")


def test_bmp_runs(refused):
    refused("bmp_runs", "run-length-coded BMP")


def test_jpeg2000_tiles(refused):
    refused("jpeg2000_tiles", "more tiles than the format has")


def test_jpeg2000_precincts(refused):
    refused("jpeg2000_precincts", "precincts and blocks")


def test_tiff_many_bytes(attack):
    """Four megapixels of it: the samples once, and no second copy of them beside."""
    end = attack("tiff_many_bytes", side=2000)
    assert end["end"] == "read as 2000 x 2000"
    assert end["grown_mb"] < 2000 * 2000 * (24 + 3 + 8) / 1e6 + 60
