"""Files that training cannot use: unreadable pictures, masks of other sizes, a full disk."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from anomalyclip.data.dataset import Dataset
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.prompts import load_prompts
from anomalyclip.training import train


def copy_of(dataset: Dataset, tmp_path: Path, index: int, **files: bytes) -> Dataset:
    """One item's image or mask replaced by bytes in a new file."""
    changes = {}
    for field, content in files.items():
        path = tmp_path / f"{field}.png"
        path.write_bytes(content)
        changes[field] = path
    items = list(dataset.items)
    items[index] = replace(items[index], **changes)
    return replace(dataset, items=tuple(items))


@pytest.mark.parametrize("cache", [True, False])
def test_bad_files_are_reported_and_the_rest_is_trained(config, dataset, tmp_path, cache):
    anomalous = next(index for index, item in enumerate(dataset.items) if item.label)
    whole = dataset.items[anomalous].image.read_bytes()
    bad = copy_of(dataset, tmp_path, anomalous, image=whole[: len(whole) // 2])
    bad = replace(bad, items=(*bad.items[:-1], replace(bad.items[-1], image=tmp_path / "absent.png")))
    result = train(replace(config, epochs=1, cache=cache), datasets=[bad])
    assert result.images == 10
    assert len(result.problems) == 2
    assert "image.png" in " ".join(result.problems)
    assert (result.folder / "problems.txt").read_text().count("left out") == 2


@pytest.mark.parametrize("cache", [True, False])
def test_an_all_black_mask_is_no_truth(config, dataset, tmp_path, cache):
    black = io.BytesIO()
    Image.new("L", (64, 64)).save(black, "png")
    anomalous = next(index for index, item in enumerate(dataset.items) if item.label)
    data = copy_of(dataset, tmp_path, anomalous, mask=black.getvalue())
    for run in ("", "again"):  # the second time the mask comes out of the cache
        config = replace(config, epochs=1, cache=cache, output=f"{config.output}{run}")
        result = train(config, datasets=[data])
        assert result.images == 12
        assert len(result.problems) == 1
        assert "all black" in result.problems[0]
        assert load_prompts(result.prompts).metadata.training["images_with_pixel_truth"] == 11


@pytest.mark.parametrize("cache", [True, False])
@pytest.mark.parametrize(("size", "truths"), [((128, 128), 12), ((64, 32), 11)])
def test_a_mask_of_another_size_is_scaled_and_of_other_proportions_no_truth(
    config, dataset, tmp_path, cache, size, truths
):
    anomalous = next(index for index, item in enumerate(dataset.items) if item.label)
    other = io.BytesIO()
    with Image.open(dataset.items[anomalous].mask) as mask:
        mask.resize(size, Image.Resampling.NEAREST).save(other, "png")
    data = copy_of(dataset, tmp_path, anomalous, mask=other.getvalue())
    for run in ("", "again"):  # the second time the mask comes out of the cache
        config = replace(config, epochs=1, cache=cache, output=f"{config.output}{run}")
        result = train(config, datasets=[data])
        assert load_prompts(result.prompts).metadata.training["images_with_pixel_truth"] == truths
        assert ["64 x 32 pixels, its image 64 x 64" in line for line in result.problems] == [True] * (12 - truths)


def test_nothing_readable_is_an_error(config, dataset, tmp_path):
    gone = replace(dataset, items=tuple(replace(item, image=tmp_path / "no.png") for item in dataset.items))
    with pytest.raises(InputError, match="no image can be read"):
        train(config, datasets=[gone])
    healthy = replace(dataset, items=tuple(item for item in dataset.items if item.label))
    with pytest.raises(ConfigError, match="every image is anomalous"):
        train(replace(config, level="image", output=f"{config.output}2"), datasets=[healthy])


def test_a_full_disk_is_told_before_anything_is_encoded(config, dataset, monkeypatch):
    monkeypatch.setattr("anomalyclip.features.cache.shutil.disk_usage", lambda _: SimpleNamespace(free=2**20))
    with pytest.raises(ConfigError, match=r"needs .* has 1.0 MB free.*--no-cache"):
        train(config, datasets=[dataset])
    assert not [path for path in (config.folder.parent / "cache").rglob("*") if path.stat().st_size > 10_000]
    assert train(replace(config, cache=False, epochs=1), datasets=[dataset]).images == 12
