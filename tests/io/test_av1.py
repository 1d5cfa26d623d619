"""AVIF: what the stream says of its size is held against the file's boxes before a decoder runs."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, features

from anomalyclip.errors import ImageReadError
from anomalyclip.io import read_image_bytes
from anomalyclip.io.av1 import sequence_size, stream_sizes

needs_avif = pytest.mark.skipif(not features.check("avif"), reason="this Pillow writes no AVIF")


def avif(width: int, height: int, **options: object) -> bytes:
    out = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(out, "AVIF", speed=10, **options)
    return out.getvalue()


def claiming(data: bytes, width: int, height: int) -> bytes:
    place = data.index(b"ispe") + 8
    return data[:place] + struct.pack(">II", width, height) + data[place + 8 :]


@needs_avif
@pytest.mark.parametrize("size", [(64, 48), (1, 1), (317, 200), (1000, 16)])
@pytest.mark.parametrize("options", [{}, {"quality": 100, "subsampling": "4:4:4"}, {"exif": Image.Exif()}])
def test_the_streams_size_is_the_pictures(size: tuple[int, int], options: dict[str, object]) -> None:
    data = avif(*size, **options)
    place = data.index(b"iloc")
    length = struct.unpack(">I", data[place - 4 : place])[0] - 8
    assert size in list(stream_sizes(io.BytesIO(data), data[place + 4 : place + 4 + length]))
    assert read_image_bytes(data).size == size


@needs_avif
@pytest.mark.parametrize("claimed", [(8, 8), (63, 64), (1, 64)])
def test_a_stream_larger_than_its_file_claims_is_refused(claimed: tuple[int, int]) -> None:
    with pytest.raises(ImageReadError, match=f"its AV1 stream is 64 x 64, its own header claims {claimed[0]} x"):
        read_image_bytes(claiming(avif(64, 64), *claimed), max_pixels=64 * 64)


@given(st.binary(max_size=80))
def test_rubbish_is_no_stream_and_no_table(data: bytes) -> None:
    found = sequence_size(data)
    assert found is None or min(found) > 0
    assert all(min(size) > 0 for size in stream_sizes(io.BytesIO(data), data))
