"""The whole model against the reference's numbers, and what a user gets from it."""

from __future__ import annotations

import io
import pickle

import numpy as np
import pytest
import torch
from PIL import Image

import anomalyclip
from anomalyclip.clip.weights import load_clip
from anomalyclip.data.transforms import MEAN, STD
from anomalyclip.detector import Detector
from anomalyclip.encoders.devices import pick_device
from anomalyclip.errors import ConfigError, HubError, InputError, PromptError
from anomalyclip.geometry.resize import resize_map
from anomalyclip.opening import from_files
from anomalyclip.prediction import decide

OPTIONS = {"layers": [2, 4, 6], "image_size": 70, "dpam_blocks": 4}


@pytest.fixture(scope="module")
def files(golden_folder):
    return golden_folder / "clip_small_openai.safetensors", golden_folder / "epoch_1.pth"


@pytest.fixture(scope="module")
def model(files) -> Detector:
    return from_files(*files, **OPTIONS)


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 80, 3), dtype=np.uint8))


def test_every_output_equals_the_reference(model, golden):
    features, (scores, maps) = model.features(golden["images"]), model.predict(golden["images"])

    def close(actual, expected):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)

    close(features.image, golden["image_feature"])
    close(model.judge.text.features, golden["text_features"][0])
    close(scores, golden["image_score"])
    for layer in (2, 4, 6):
        close(features.patches[layer], golden[f"patch_{layer}"][:, 1:])
    close(3 * maps, golden["anomaly_map_sigma4"])  # ours is the mean over the three layers


@pytest.mark.parametrize("weight", [0.25, 1.0])
def test_map_weight_mixes_the_peak_of_the_map_into_the_score(files, golden, weight):
    pixels = golden["images"]
    mixed = from_files(*files, **OPTIONS, map_weight=weight)
    peaks = golden["anomaly_map_sigma4"].reshape(3, -1).max(axis=1) / 3
    expected = (1 - weight) * golden["image_score"] + weight * peaks
    np.testing.assert_allclose(mixed.predict(pixels)[0], expected, rtol=1e-5, atol=1e-5)
    assert mixed.provenance()["settings"]["map_weight"] == weight


@pytest.mark.parametrize("share", [1e-9, 0.05, 0.3, 1.0])
def test_map_share_takes_the_mean_of_the_hottest_pixels_for_the_peak(files, golden, share):
    mixed = from_files(*files, **OPTIONS, map_weight=0.5, map_share=share)
    hottest = np.sort(golden["anomaly_map_sigma4"].reshape(3, -1) / 3)[:, ::-1]
    peaks = hottest[:, : max(1, round(share * hottest.shape[1]))].mean(axis=1)
    expected = 0.5 * golden["image_score"] + 0.5 * peaks
    np.testing.assert_allclose(mixed.predict(golden["images"])[0], expected, rtol=1e-5, atol=1e-5)
    assert mixed.provenance()["settings"]["map_share"] == share


def test_a_setting_that_came_later_is_not_recorded_at_its_default(files):
    """Profiles, caches and exports made before it stay those of the same model."""
    plain = from_files(*files, **OPTIONS)
    assert (plain.settings.map_share, "map_share" in plain.provenance()["settings"]) == (0, False)


def test_features_that_were_kept_give_the_same_verdict(model, golden):
    scores, maps = model.predict(golden["images"])
    assert (scores.dtype, maps.dtype, maps.shape) == (np.float32, np.float32, (3, 70, 70))
    for kept in (model.features(golden["images"]), model.encoder.run(golden["images"], model.request)):
        for found, expected in zip(model.verdict(kept), (scores, maps), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_pixels_may_be_a_tensor_or_read_only(model, golden):
    expected = model.predict(golden["images"])[0]
    frozen = golden["images"].copy()
    frozen.flags.writeable = False
    for pixels in (torch.from_numpy(golden["images"]), frozen):
        np.testing.assert_array_equal(model.predict(pixels)[0], expected)


def test_preprocessing_follows_the_definition(model, photo):
    resized = np.asarray(photo.resize((70, 70), Image.Resampling.BICUBIC), dtype=np.float64) / 255
    expected = ((resized - MEAN) / STD).transpose(2, 0, 1)
    np.testing.assert_allclose(model.preprocess(photo), expected, atol=1e-6)


def test_detect_takes_paths_images_arrays_and_lists(model, photo, tmp_path):
    photo.save(tmp_path / "part.png")
    one = model.detect(tmp_path / "part.png", threshold=0.0)
    many = model.detect([str(tmp_path / "part.png"), photo, np.asarray(photo)], batch_size=2)
    assert [p.score for p in many] == pytest.approx([one.score] * 3, abs=2e-6)
    assert (one.width, one.height, one.anomaly_map.shape) == (80, 48, (48, 80))
    assert one.anomaly_map.dtype == np.float32
    assert 0 <= one.anomaly_map.min() <= one.anomaly_map.max() <= 1
    assert (one.path, one.decision, many[1].path, many[1].decision) == (
        str(tmp_path / "part.png"),
        "anomalous",
        None,
        None,
    )
    one.save_overlay(tmp_path / "heat.png")
    with Image.open(tmp_path / "heat.png") as overlay:
        assert overlay.height >= 48


def test_open_files_are_pictures_and_columns_of_paths_are_several(model, photo, tmp_path):
    photo.save(tmp_path / "part.png")
    expected = model.detect(photo).score
    with (tmp_path / "part.png").open("rb") as file:
        assert model.detect(file).score == expected
    assert model.detect(io.BytesIO((tmp_path / "part.png").read_bytes())).score == expected
    assert [one.score for one in model.detect(np.array([str(tmp_path / "part.png")] * 2))] == [expected] * 2


def test_a_batch_may_come_as_a_generator_or_open_files(model):
    """Each is read twice: what is read once must not be gone then."""
    photos = [Image.fromarray(np.random.default_rng(n).integers(0, 256, (30, 40, 3), np.uint8)) for n in range(6)]
    expected = [one.score for one in model.detect_batch(photos)]
    assert [one.score for one in model.detect_batch(one for one in photos)] == expected

    def written(photo: Image.Image) -> io.BytesIO:
        photo.save(file := io.BytesIO(), "PNG")
        file.seek(0)
        return file

    assert [one.score for one in model.detect_batch(map(written, photos))] == expected
    with pytest.raises(InputError, match="give a list"):
        model.detect_batch("part.png")


def test_a_prediction_is_equal_to_itself_and_a_key(model, photo):
    one, other = model.detect([photo, photo])
    assert one in [other, one]
    assert one != other
    assert len({one, other, one}) == 2


def test_preprocess_and_overlays_name_what_they_take(model, photo):
    for given in ("part.png", np.asarray(photo)):
        with pytest.raises(InputError, match="takes an RGB PIL image"):
            model.preprocess(given)
    with pytest.raises(InputError, match="cannot write a picture to BytesIO"):
        model.detect(photo).save_overlay(io.BytesIO())


def test_a_detector_and_its_profile_go_to_other_processes(photo):
    """As joblib and multiprocessing send them; a device may be torch's own."""
    model = anomalyclip.load("pocket", device=torch.device("cpu"), tau=0.08)
    profile = model.calibrate([photo, photo.rotate(90), photo.rotate(180), photo.rotate(270)], fpr=0.2)
    sent, line = pickle.loads(pickle.dumps((model, profile)))
    assert sent.provenance() == model.provenance()
    assert sent.detect(photo).score == model.detect(photo).score
    assert sent.detect(photo, profile=line).score == model.detect(photo, profile=profile).score


def test_maps_are_not_stretched_per_image(model):
    """A featureless image must not light up: the scale is fixed."""
    flat = model.detect(Image.new("RGB", (70, 70), (127, 127, 127)))
    busy = model.detect(Image.fromarray(np.random.default_rng(1).integers(0, 256, (70, 70, 3), dtype=np.uint8)))
    for prediction in (flat, busy):
        _, maps = model.predict(model.preprocess(prediction.image)[None])
        np.testing.assert_allclose(prediction.anomaly_map, maps[0], atol=1e-6)


def test_the_class_token_quirk_is_a_switch(files, golden):
    quirk = from_files(*files, **OPTIONS)
    plain = from_files(*files, **OPTIONS, post_norm_class=True)
    pixels = golden["images"]
    with torch.inference_mode():
        expected = load_clip(files[0]).visual(torch.from_numpy(pixels), dpam="qk", post_norm_class=True).image
    np.testing.assert_allclose(plain.features(pixels).image, expected, rtol=1e-5, atol=1e-5)
    assert np.abs(plain.predict(pixels)[0] - quirk.predict(pixels)[0]).max() > 1e-3


@pytest.mark.parametrize("name", ["clip", "clip-ac", "winclip-ensemble"])
def test_hand_written_prompts_are_baselines(files, name, golden):
    model = from_files(files[0], name, **OPTIONS, class_name="metal nut")
    other = from_files(files[0], name, **OPTIONS, class_name="cable")
    np.testing.assert_allclose(np.linalg.norm(model.judge.text.features, axis=-1), 1, rtol=1e-5)
    assert model.provenance()["prompts"] == f"{name}:metal nut"
    assert model.provenance()["prompts_sha256"] != other.provenance()["prompts_sha256"]
    assert not np.allclose(model.judge.text.features, other.judge.text.features)


def test_the_text_tower_is_gone_once_its_output_is_constant(model):
    tower = model.encoder.visual
    assert not any("token_embedding" in name for name, _ in tower.named_parameters())
    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_provenance_says_what_decided_the_score(model, files):
    record = model.provenance()
    assert record["model"] == str(files[0])
    assert len(record["weights_sha256"]) == len(record["prompts_sha256"]) == 64
    assert record["settings"]["layers"] == [2, 4, 6]
    assert record["settings"]["sigma"] == 4.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": [7]}, r"layers \[7\] do not exist"),
        ({"layers": []}, "expected block numbers from 1"),
        ({"image_size": 7}, "below one patch"),
        ({"dpam": "zz"}, "expected one of vv, qq, kk, qk"),
        ({"dpam_blocks": 9}, r"dpam_blocks must lie in 0\.\.6"),
        ({"sigma": -1.0}, "sigma -1 is out of range: expected pixels from 0 to 1,000"),
        ({"map_weight": 1.5}, "map_weight 1.5 is out of range: expected a share from 0 to 1"),
    ],
)
def test_impossible_settings_name_the_setting(files, options, message):
    with pytest.raises(ConfigError, match=message):
        from_files(*files, **(OPTIONS | options))


def test_prompts_of_another_backbone_are_refused(files, tmp_path):
    from anomalyclip.clip.model import random_clip
    from anomalyclip.clip.weights import save_clip

    other = random_clip(load_clip(files[0]).config, seed=5)
    save_clip(tmp_path / "other.safetensors", other)
    with pytest.raises(PromptError, match="were learned on"):
        from_files(tmp_path / "other.safetensors", files[1], **OPTIONS)


def test_a_generator_gives_a_list_in_its_order(model, photo):
    found = model.detect(one for one in (photo, photo.rotate(90, expand=True)))
    assert [(one.width, one.height) for one in found] == [(80, 48), (48, 80)]
    assert found[0].score == model.detect(photo).score


@pytest.mark.parametrize(("given", "shown"), [("part.png", "got str"), (np.zeros((3, 70, 70)), r"shape \(3, 70, 70\)")])
def test_predict_names_what_takes_pictures_as_they_are(model, given, shown):
    with pytest.raises(InputError, match=f"{shown}.*detect takes paths"):
        model.predict(given)


def test_a_misspelt_model_is_told_before_the_package_that_it_would_need(monkeypatch):
    monkeypatch.setattr("anomalyclip.embedded.present", lambda name: False)
    with pytest.raises(HubError, match="did you mean pocket"):
        anomalyclip.load("pockt")
    with pytest.raises(ConfigError, match=r"anomalyclip\[torch\]"):
        anomalyclip.load("vit-l-14-336")


def test_bad_inputs_say_what_would_do(model):
    with pytest.raises(InputError, match="int64"):
        model.detect(np.zeros((4, 4, 3), dtype=np.int64))
    with pytest.raises(InputError, match="cannot read an image from int"):
        model.detect(5)  # type: ignore[call-overload]
    with pytest.raises(ConfigError, match="batch_size 0 is out of range"):
        model.detect([], batch_size=0)
    with pytest.raises(ConfigError, match="device 'cuda' cannot be used"):
        pick_device("cuda")
    assert model.detect([]) == []


def test_resizing_a_map_stays_in_range():
    values = np.random.default_rng(0).random((9, 9), dtype=np.float32)
    large = resize_map(values, (31, 17))
    assert large.shape == (17, 31)
    assert values.min() <= large.min() <= large.max() <= values.max()


def test_decide_is_inclusive():
    assert decide(0.5, 0.5) == "anomalous"


def test_named_prompts_are_recorded_by_name() -> None:
    """A server's answers must not tell where its package lies."""
    assert anomalyclip.load("pocket", device="cpu").provenance()["prompts"] == "pocket-heads"


def test_regions_follow_the_threshold_of_pixels_and_the_least_area(model):
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), dtype=np.uint8)
    found = model.detect(image, threshold=0.1, pixel_threshold=0.0)
    assert [region["area"] for region in found.regions] == [50 * 60]
    assert model.detect(image, pixel_threshold=0.0, min_area=50 * 60 + 1).regions == ()
    for wrong in ({"pixel_threshold": 2}, {"min_area": 0}):
        with pytest.raises(ConfigError, match=next(iter(wrong))):
            model.detect(image, **wrong)
