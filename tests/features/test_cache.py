"""The feature cache: what identifies a record, damage, room, and the masks beside it."""

from __future__ import annotations

import os
import time
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

from anomalyclip.encoders.base import Features
from anomalyclip.errors import ConfigError, OutputError
from anomalyclip.features import CacheKey, FeatureCache
from anomalyclip.features.kept import from_rows, local_rows, summary_rows

KEY = CacheKey("a" * 64, "vv", 4, (2, 6), 70, 8, 25, "fp32")
OTHER = {
    "weights_sha256": "b" * 64,
    "dpam": "qq",
    "dpam_blocks": 5,
    "layers": (6, 2),
    "image_size": 71,
    "embed_dim": 9,
    "patches": 24,
    "dtype": "fp16",
    "kind": "tokens",
    "width": 9,
    "scales": (2,),
    "post_norm_class": True,
    "recipe": 3,
    "rounding": "int8 native",
    "summaries": ((3, 6), (5, 3)),
    "glance": 160,
}
SHA = "0123456789abcdef" * 4


@pytest.fixture
def filled(tmp_path):
    cache = FeatureCache.open(tmp_path, KEY)
    random = np.random.default_rng(0)
    image, patches = random.normal(size=8).astype("f4"), random.normal(size=(2, 25, 8)).astype("f4")
    cache.put(SHA, image, patches)
    return cache, image, patches


def record_of(cache):
    return cache.folder / SHA[:2] / SHA


def test_what_is_put_comes_back_mapped(filled):
    cache, image, patches = filled
    assert cache.has(SHA)
    rows = cache.get(SHA)
    assert isinstance(rows, np.memmap)
    np.testing.assert_array_equal(rows[:8], image)
    np.testing.assert_array_equal(rows[8:].reshape(2, 25, 8), patches)
    assert record_of(cache).stat().st_size == cache.record_bytes() == 64 + 51 * 8 * 4


def test_summaries_come_back_beside_the_rest(tmp_path):
    key = replace(KEY, summaries=((5, 6), (3, 3)))
    rng = np.random.default_rng(4)
    layers = {layer: rng.normal(size=(1, KEY.patches, KEY.width or KEY.embed_dim)).astype("f4") for layer in KEY.layers}
    told = {number: rng.normal(size=(1, width)).astype("f4") for number, width in key.summaries}
    given = Features((5, 5), rng.normal(size=(1, KEY.embed_dim)).astype("f4"), summaries=told, **{KEY.kind: layers})
    cache = FeatureCache.open(tmp_path, key)
    cache.put(SHA, given.image[0], local_rows(given, key)[0], summary_rows(given, key)[0])
    assert cache.has(SHA)
    found = from_rows(cache.get(SHA)[None], key)
    np.testing.assert_array_equal(found.image, given.image)
    for kind, expected in ((KEY.kind, layers), ("summaries", told)):
        for number, values in expected.items():
            np.testing.assert_array_equal(getattr(found, kind)[number], values)
    assert key.request.summaries == (5, 3)


def test_half_precision_takes_half_the_disk(filled, tmp_path):
    _, image, patches = filled
    cache = FeatureCache.open(tmp_path, replace(KEY, dtype="fp16"))
    cache.put(SHA, image, patches)
    np.testing.assert_array_equal(cache.get(SHA)[:8], image.astype("f2"))
    assert cache.record_bytes() == 64 + 51 * 8 * 2
    with pytest.raises(ConfigError, match="fp32"):
        cache.put(SHA, image * 1e6, patches)


@pytest.mark.parametrize("name", [field.name for field in fields(CacheKey)])
def test_every_part_of_the_key_makes_another_cache(filled, tmp_path, name):
    other = FeatureCache.open(tmp_path, replace(KEY, **{name: OTHER[name]}))
    assert other.folder != filled[0].folder
    assert not other.has(SHA)


@pytest.mark.parametrize("damage", ["cut", "longer", "empty", "payload", "checksum", "magic", "renamed"])
def test_damage_is_seen(filled, damage):
    cache, _, _ = filled
    path, name = record_of(cache), SHA
    data = bytearray(path.read_bytes())
    if damage in ("cut", "longer", "empty"):
        data = {"cut": data[:-1], "longer": data + b"\0", "empty": bytearray()}[damage]
    elif damage == "renamed":
        name = SHA[:-1] + "0"
        path = path.with_name(name)
    else:
        data[{"payload": -7, "checksum": 20, "magic": 3}[damage]] ^= 1
    path.write_bytes(data)
    assert not cache.has(name)


def test_a_vanished_record_is_reported(filled):
    record_of(filled[0]).unlink()
    with pytest.raises(OutputError, match="run the same command again"):
        filled[0].get(SHA)


def test_masks_are_packed_to_bits(tmp_path):
    cache = FeatureCache.open(tmp_path, KEY)
    mask = np.random.default_rng(1).random((70, 70)) > 0.7
    cache.put_mask(SHA, mask, all_black=False)
    assert cache.has_mask(SHA)
    stored, black = cache.get_mask(SHA)
    np.testing.assert_array_equal(stored, mask)
    assert not black
    (file,) = (tmp_path / "masks-70").rglob(SHA)
    assert file.stat().st_size == 64 + (70 * 70 + 7) // 8 + 1
    data = bytearray(file.read_bytes())
    data[100] ^= 8
    file.write_bytes(data)
    assert not cache.has_mask(SHA)


def test_room_is_compared_before_writing(tmp_path, monkeypatch):
    cache = FeatureCache.open(tmp_path, KEY)
    monkeypatch.setattr("anomalyclip.features.cache.shutil.disk_usage", lambda _: SimpleNamespace(free=2**27))
    assert cache.check_room(1000) == (1000 * cache.record_bytes(), 2**27)
    with pytest.raises(ConfigError, match=r"needs 169.6 MB.*134.2 MB free.*--no-cache"):
        cache.check_room(100_000)


def test_leftovers_of_killed_writers_are_swept(filled):
    cache, _, _ = filled
    old, young = (record_of(cache).parent / f".{name}.tmp" for name in ("old", "young"))
    for path in (old, young):
        path.write_bytes(b"half")
    os.utime(old, (time.time() - 10_000,) * 2)
    cache.sweep(time.time() - 5000)
    assert not old.exists()
    assert young.exists()
    assert cache.has(SHA)
