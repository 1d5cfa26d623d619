"""Measuring through the real stream, with a detector whose scores are known."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.calibration import CostWish, Measured, RecallWish, calibrate, measure, provenance_of
from anomalyclip.calibration.plot import SIZE, draw_profile
from anomalyclip.detect import iter_inputs
from anomalyclip.detector import Detector
from anomalyclip.encoders import EncoderFacts
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.geometry import Areas, Geometry


class Brightness(Detector):
    """Score: mean brightness of the 8 x 8 view; map: its brightness, NaN where an image is pure magenta."""

    def __init__(self) -> None:
        facts = EncoderFacts("brightness", "", 1, 8, 0, 0, 0, resizes=False)
        self.encoder = SimpleNamespace(facts=facts, runtime="torch", device="cpu")
        self.judge = SimpleNamespace(peak=(0.0, 0.0), whole_batch=False)
        self.settings = SimpleNamespace(image_size=8)

    def preprocess(self, image: Image.Image, size: tuple[int, int] | None = None) -> np.ndarray:
        return (np.float32(image.resize((8, 8), Image.Resampling.BOX)) / 255).transpose(2, 0, 1)

    def predict(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        maps = pixels.mean(axis=1)
        magenta = (pixels[:, 1] == 0) & (pixels[:, 0] == 1)
        return maps.mean(axis=(1, 2)), np.where(magenta, np.float32(np.nan), maps)

    def provenance(self) -> dict[str, Any]:
        return {"model": "brightness", "settings": {"map_weight": 0.0}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """good/ ten greys; one of them twice, a broken file, one whose map is NaN. bad/ two: a new one and one of good/."""
    for kind, greys in (("good", range(100, 110)), ("bad", (250, 105))):
        (tmp_path / kind).mkdir()
        for grey in greys:
            Image.new("RGB", (16, 16), (grey,) * 3).save(tmp_path / kind / f"{grey}.png")
    Image.new("RGB", (16, 16), (105,) * 3).save(tmp_path / "good" / "twin.bmp")
    Image.new("RGB", (16, 16), (255, 0, 255)).save(tmp_path / "good" / "nan.png")
    (tmp_path / "good" / "broken.png").write_bytes(b"x")
    return tmp_path


def test_every_picture_counts_once(folder: Path) -> None:
    seen = []
    good = measure(Brightness(), iter_inputs([str(folder / "good")]), advance=lambda: seen.append(1))
    assert good.scores == pytest.approx([grey / 255 for grey in range(100, 110)])
    assert good.peaks == pytest.approx(good.scores)
    assert good.shares.count == 10
    assert len(seen) == 13
    reasons = {Path(path).name: reason for path, reason in good.skipped}
    assert sorted(reasons) == ["broken.png", "nan.png", "twin.bmp"]
    assert reasons["twin.bmp"] == f"the same picture as {folder / 'good' / '105.png'}"
    assert "no number" in reasons["nan.png"]
    bad = measure(Brightness(), iter_inputs([str(folder / "bad")]), known=good)
    assert bad.scores == pytest.approx([250 / 255])
    assert bad.skipped == [(str(folder / "bad" / "105.png"), f"also given as {folder / 'good' / '105.png'}")]


def test_nothing_to_measure(folder: Path) -> None:
    with pytest.raises(InputError, match=r"no image could be measured \(.*broken.png"):
        measure(Brightness(), iter_inputs([str(folder / "good" / "broken.png")]))


def test_only_pixels_in_the_area_count(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :4] = 255
    for i in range(20):
        pixels[0, 15] = i
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    items = list(iter_inputs([str(tmp_path)]))
    whole = measure(Brightness(), items)
    right = measure(Brightness(), items, areas=Areas.open(roi="8,0,8,16"))
    assert min(whole.peaks) > 0.9
    assert max(right.peaks) < 0.1
    assert whole.shares.threshold(0.2) > 0.9
    assert right.shares.threshold(0.2) < 0.1


def test_a_profile_of_what_was_measured(folder: Path) -> None:
    good = measure(Brightness(), iter_inputs([str(folder / "good")]))
    facts = provenance_of(Brightness(), Geometry(tile=64), Areas.open(roi="0,0,8,8"))
    profile = calibrate(good, facts, name="a", rate=0.1, pixel_rate=0.2, pixel_rule="pixel")
    assert profile.image.scores == tuple(sorted(profile.image.scores))
    assert np.float32(profile.image_threshold) > np.float32(good.scores[-1])
    assert (profile.pixel.rate, profile.pixel.threshold) == (0.2, good.shares.threshold(0.2))
    profile.check_model(facts)
    with pytest.raises(ConfigError, match="tile 64 then, None now"):
        profile.check_model(provenance_of(Brightness(), areas=Areas.open(roi="0,0,8,8")))


def test_anomalies_and_wishes_go_together(folder: Path) -> None:
    good, bad = Measured([0.1] * 20, [0.1] * 20), Measured([0.9] * 3, [0.9] * 3)
    for more in ({"anomalies": bad}, {"wish": RecallWish(0.9)}):
        with pytest.raises(ConfigError, match="give both"):
            calibrate(good, {}, rate=0.1, **more)  # type: ignore[arg-type]
    chosen = calibrate(good, {}, rate=0.1, anomalies=bad, wish=CostWish(1, 1, 0.5))
    assert chosen.image_threshold == 0.9
    picture = draw_profile(chosen, bad.scores)
    assert picture.size == (SIZE[0], 2 * SIZE[1])
    assert len(set(picture.getcolors(1 << 16) or [])) > 5, "something is drawn, though all scores are equal"
