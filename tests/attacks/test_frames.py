"""Hostile DICOM objects, volumes and animations: refused from their headers, or read at the cost of what they are."""

from __future__ import annotations

import pytest

pytest.importorskip("pydicom")
pytest.importorskip("nibabel")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("dicom_jpeg_larger_than_told", "13000 x 13000 pixels of 1 samples, its tags claim 10 x 10"),
        ("dicom_jpeg2000_larger_than_told", "60000 x 60000 pixels of 1 samples, its tags claim 10 x 10"),
        ("dicom_rle_longer_than_told", "does not hold as many pixels as its tags claim"),
        ("dicom_frames_that_are_not_there", "the file is truncated"),
        ("dicom_empty_items", "more than 600,000 attributes"),
        ("dicom_deep_sequences", "nested more than 16 deep"),
        ("dicom_fragments", "more than 1,000,000 pieces"),
        ("dicom_offset_table", "table of frames has 40,000,000 bytes"),
        ("dicom_inflating", "deflated DICOM file of more than 128 MiB"),
        ("nifti_absurd_sides", "the limit is 2.15"),
        ("gif_frames", "it holds 100,000 pictures"),
        ("gif_whole_frames", "3,000 pictures of 147 gigapixels together, out of 45 kB"),
        ("png_whole_frames", "3,000 pictures of 147 gigapixels together"),
        ("tiff_pages_of_one_strip", "3,000 pictures of 147 gigapixels together"),
        ("dicom_frames_of_nothing", "3,000 pictures of 147 gigapixels together"),
    ],
)
def test_hostile_files_are_refused(attack, name, reason):
    end = attack(name)
    assert end["end"].startswith("refused: attack: ")
    assert reason in end["end"]
    assert end["grown_mb"] < (350 if name == "dicom_inflating" else 90 + 4 * end["file_mb"])
    assert end["seconds"] < 10


def test_nifti_inflating(attack):
    end = attack("nifti_inflating")
    assert end["end"].startswith("read as ")
    assert end["grown_mb"] < 60
