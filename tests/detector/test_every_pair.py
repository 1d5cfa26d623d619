"""Every encoder with every judge: what must hold of any pair holds of this one, or the pair is refused by the table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from anomalyclip.combining import LACKING
from anomalyclip.detector import Detector
from anomalyclip.encoders.formats import installed
from anomalyclip.errors import ConfigError
from anomalyclip.export.verify import feature_distance
from anomalyclip.geometry import Geometry
from anomalyclip.native import why_not
from anomalyclip.opening import open_detector
from anomalyclip.prompts import PromptMetadata
from anomalyclip.prompts.heads import HeadsFile, save_heads
from anomalyclip.prompts.linear import LinearFile, LinearLayers, save_linear

SIDE = 56
STAGES = (2, 6)
#: name -> keywords of `open_detector`, and None or why it cannot run here
ENCODERS: dict[str, tuple[dict[str, Any], str | None]] = {
    "torch": ({"runtime": "torch"}, None),
    "torch-bf16": ({"runtime": "torch", "precision": "bf16"}, None),
    "native": ({"runtime": "native"}, why_not("int8")),
    "openvino": ({"runtime": "openvino"}, None if installed("openvino") else "OpenVINO is not installed"),
}
JUDGES = ("learned", "clip", "winclip", "vand", "heads", "glance")


@pytest.fixture(scope="module", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANOMALYCLIP_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="module")
def opened(golden_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Detector]:
    """opened(encoder, judge): each pair once."""
    clip = golden_folder / "clip_small_openai.safetensors"
    vand = tmp_path_factory.mktemp("vand") / "vand.safetensors"
    metadata = PromptMetadata(
        backbone="small", weights_sha256=None, text_width=128, embed_dim=64, method="vand",
        layers=STAGES, image_size=SIDE, dpam="qk", sigma=0.0, tau=0.01, post_norm_class=True,
    )  # fmt: skip
    save_linear(vand, LinearFile("april-gan-ensemble", metadata, LinearLayers(len(STAGES), 128, 64).learned()))
    heads = vand.with_name("heads.safetensors")
    pairs = np.random.default_rng(9).normal(size=(len(STAGES) + 1, 2, 64)).astype(np.float32)
    pairs /= np.linalg.norm(pairs, axis=-1, keepdims=True)
    told = replace(metadata, method="heads", dpam="vv", sigma=4.0, tau=0.07, post_norm_class=False)
    save_heads(heads, HeadsFile(told, pairs[0], pairs[1:]))
    prompts = {"learned": str(golden_folder / "epoch_1.pth"), "vand": f"vand:{vand}", "heads": f"heads:{heads}"}
    prompts["glance"] = prompts["learned"]
    made: dict[tuple[str, str], Detector] = {}

    def make(encoder: str, judge: str) -> Detector:
        keywords = ENCODERS[encoder][0] | ({"glance": 28} if judge == "glance" else {})
        if (encoder, judge) not in made:
            made[encoder, judge] = open_detector(
                clip, prompts=prompts.get(judge, judge), image_size=SIDE, device="cpu", threads=1, **keywords
            )
        return made[encoder, judge]

    return make


def pictures(count: int = 3) -> list[Image.Image]:
    rng = np.random.default_rng(8)
    return [Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((80, 60)) for _ in range(count)]


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("encoder", ENCODERS)
class TestEveryPair:
    """A new encoder or judge is one more name above."""

    @pytest.fixture
    def detector(self, opened: Callable[[str, str], Detector], encoder: str, judge: str) -> Detector:
        if (missing := ENCODERS[encoder][1]) is not None:
            pytest.skip(missing)
        if judge == "winclip" and not encoder.startswith("torch"):
            with pytest.raises(ConfigError, match=rf"hundreds of windows.*{encoder}.*use --runtime torch"):
                opened(encoder, judge)
            pytest.skip("refused by the table, with the remedy")
        return opened(encoder, judge)

    @pytest.fixture
    def pixels(self, detector: Detector) -> np.ndarray:
        return np.stack([detector.preprocess(image) for image in pictures()])

    def test_shapes_and_ranges(self, detector: Detector, pixels: np.ndarray) -> None:
        scores, maps = detector.predict(pixels)
        assert (scores.shape, maps.shape) == ((3,), (3, SIDE, SIDE))
        assert (scores.dtype, maps.dtype) == (np.float32, np.float32)
        for values in (scores, maps):
            assert 0 <= values.min() <= values.max() <= 1
        assert np.ptp(maps, axis=(1, 2)).min() > 1e-4  # no map is flat

    def test_pictures_depend_neither_on_their_batch_nor_on_its_order(
        self, detector: Detector, pixels: np.ndarray
    ) -> None:
        scores, maps = detector.predict(pixels)
        backwards = detector.predict(np.ascontiguousarray(pixels[::-1]))
        np.testing.assert_allclose(backwards[0][::-1], scores, atol=1e-4)
        np.testing.assert_allclose(backwards[1][::-1], maps, atol=1e-4)
        alone = detector.predict(pixels[1:2])
        np.testing.assert_allclose(alone[0][0], scores[1], atol=1e-4)
        np.testing.assert_allclose(alone[1][0], maps[1], atol=1e-4)

    def test_features_are_torchs_within_the_stated_bound(
        self, detector: Detector, pixels: np.ndarray, opened: Callable[[str, str], Detector], judge: str
    ) -> None:
        exact = opened("torch", judge)
        if detector.request.verdict:  # the graph judges itself: scores and maps are compared instead
            given = np.stack([exact.preprocess(image) for image in pictures()])
            for found, expected in zip(detector.predict(pixels), exact.predict(given), strict=True):
                np.testing.assert_allclose(found, expected, atol=2e-4)
            return
        expected = exact.features(np.stack([exact.preprocess(image) for image in pictures()]))
        assert feature_distance(expected, detector.features(pixels)) <= detector.encoder.facts.bound

    def test_kept_features_give_the_same_verdict(self, detector: Detector, pixels: np.ndarray) -> None:
        for kept, now in zip(detector.verdict(detector.features(pixels)), detector.predict(pixels), strict=True):
            np.testing.assert_allclose(kept, now, atol=1e-6)

    def test_provenance_is_complete(self, detector: Detector, encoder: str, judge: str) -> None:
        told = detector.provenance()
        names = {"model", "method", "weights_sha256", "prompts", "prompts_sha256", "settings", "version"}
        assert names <= set(told)
        assert len(told["weights_sha256"]) == len(told["prompts_sha256"]) == 64
        assert told["method"] == {"learned": "anomalyclip", "glance": "anomalyclip"}.get(judge, judge)
        assert told["settings"]["image_size"] == SIDE
        assert (encoder == "torch") == ("runtime" not in told)

    def test_other_proportions_are_taken_or_refused(self, detector: Detector) -> None:
        keep = Geometry(keep_aspect=True)
        if not detector.sizes.resizes:
            with pytest.raises(ConfigError, match=r"one input size only.*use tiles"):
                detector.check(keep)
            return
        found = detector.detect(pictures(1)[0], keep_aspect=True)
        assert found.anomaly_map.shape == (60, 80)
        assert np.isfinite(found.score)


VALUES = {
    "layers": [6],
    "dpam": "vv",
    "dpam_blocks": 3,
    "smoothed": "log-odds",
    "map_weight": 0.5,
    "map_share": 0.05,
    "glance": 28,
}


@pytest.mark.parametrize(("judge", "setting"), [(judge, name) for judge, names in LACKING.items() for name in names])
def test_settings_that_a_judge_lacks_are_refused(
    opened: Callable[[str, str], Detector], golden_folder: Path, judge: str, setting: str
) -> None:
    value = VALUES[setting]
    prompts = "winclip" if judge == "winclip" else opened("torch", "vand").judge.file.path  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=f"{judge} has no {setting} to choose, got"):
        open_detector(
            golden_folder / "clip_small_openai.safetensors", prompts=prompts, runtime="torch", **{setting: value}
        )
