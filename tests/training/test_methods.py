"""CoOp, VAND, heads, object-aware prompts: learned by the same loop, kept, continued, and as their definitions say."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from anomalyclip import scoring
from anomalyclip.clip.plain import stage_tokens
from anomalyclip.clip.weights import load_clip
from anomalyclip.encoders.torch import facts_of
from anomalyclip.errors import ConfigError, PromptError
from anomalyclip.features import Features
from anomalyclip.judges import linear
from anomalyclip.losses import dice_loss, focal_loss
from anomalyclip.prompts import PromptLearner, ensemble_text_features
from anomalyclip.prompts.heads import HeadsFile, load_heads
from anomalyclip.prompts.kinds import load_any
from anomalyclip.training import TrainConfig, read_config, train
from anomalyclip.training.batches import Batch
from anomalyclip.training.encoder import encoder_settings, features_of
from anomalyclip.training.module import PromptTraining
from anomalyclip.training.objective import training_loss
from anomalyclip.training.students import make_student, prompt_settings

METHODS = ("coop", "vand", "object-aware", "heads")
CLASSES = ("alpha", "beta")


@pytest.fixture(params=METHODS)
def method(request):
    return request.param


@pytest.fixture
def own(config, method):
    """The golden CLIP with the method's own layers and depth."""
    return replace(config, method=method, layers=None, depth=None, dpam_blocks=None)


@pytest.fixture(scope="module")
def clip(golden_folder):
    return load_clip(golden_folder / "clip_small_openai.safetensors")


def learned(path):
    """What a file holds, by name."""
    found = load_any(path)
    if isinstance(found, HeadsFile):
        return {"image": torch.from_numpy(found.image), "patches": torch.from_numpy(found.patches)}
    return found.tensors


def batch_of(golden, classes):
    labels, masks = torch.from_numpy(golden["labels"]), torch.from_numpy(golden["masks"]).to(torch.uint8)
    return Batch(None, None, labels, masks, torch.ones(3, dtype=torch.bool), torch.tensor(classes))


def test_the_loss_falls_and_the_file_says_what_it_is(own, dataset, method):
    result = train(replace(own, epochs=4, learning_rate=0.01), datasets=[dataset])
    losses = [row["loss"] for row in result.history]
    assert losses[-1] < 0.95 * losses[0]
    found = load_any(result.prompts)
    assert found.metadata.method == method
    assert found.metadata.training["data"] == ["tiles"]
    assert found.metadata.weights_sha256 == load_clip(own.model).weights_sha256
    assert read_config(result.folder / "config.yaml").method == method
    assert (result.history[0]["loss_image"] == 0) == (method == "vand")
    assert (result.history[0]["loss_pixel"] == 0) == (method == "coop")


def test_an_interrupted_run_ends_like_an_uninterrupted_one(own, dataset, monkeypatch):
    whole = train(replace(own, output=f"{own.output}2"), datasets=[dataset])
    original, count = PromptTraining.training_step, 0

    class Kill(BaseException):
        pass

    def stop(self, batch, batch_idx=0):
        nonlocal count
        count += 1
        if count > 4:
            raise Kill
        return original(self, batch, batch_idx)

    monkeypatch.setattr(PromptTraining, "training_step", stop)
    with pytest.raises(Kill):
        train(replace(own, checkpoint_steps=1), datasets=[dataset])
    monkeypatch.setattr(PromptTraining, "training_step", original)
    resumed = train(replace(own, checkpoint_steps=1), datasets=[dataset])
    assert resumed.history == whole.history
    for name, value in learned(whole.prompts).items():
        torch.testing.assert_close(learned(resumed.prompts)[name], value, rtol=0, atol=0)


def test_cached_and_streamed_runs_are_the_same(own, dataset):
    cached = train(replace(own, epochs=1), datasets=[dataset])
    streamed = train(replace(own, epochs=1, cache=False, output=f"{own.output}2"), datasets=[dataset])
    assert cached.history == streamed.history
    assert cached.prompts.read_bytes() != b""


def test_other_names_are_another_run(own, dataset, method):
    if method == "heads":
        return  # they know no names; what makes another run of them stands below
    train(replace(own, epochs=1), datasets=[dataset])
    items = tuple(replace(item, class_name="gamma") for item in dataset.items)
    with pytest.raises(ConfigError, match="the classes are called otherwise"):
        train(own, datasets=[replace(dataset, items=items)])


def test_vand_restated(config, clip, golden):
    """Focal and dice of every stage's abnormal map, against each image's own words, unweighted."""
    own = replace(config, method="vand", layers=None, depth=None)
    settings = encoder_settings(own, clip)
    assert (settings.layers, settings.dpam, settings.sigma, settings.tau) == ((2, 3, 5, 6), "qk", 0.0, 0.01)
    assert settings.post_norm_class
    student = make_student(own, clip, settings, CLASSES)
    image, stages = stage_tokens(
        clip.visual, clip.visual.embed(torch.from_numpy(golden["images"])), settings.layers, post_norm=True
    )
    batch = batch_of(golden, [0, 1, 1])
    found = student.loss(Features(image, torch.stack(list(stages.values()), dim=1)), batch)
    words = [ensemble_text_features(clip, clip.tokenizer(), name, "april-gan-ensemble") for name in CLASSES]
    masks, total = batch.masks.float(), 0.0
    for layer, raw in zip(student.layers.layers, stages.values(), strict=True):
        unit = torch.nn.functional.normalize(raw @ layer.weight.T + layer.bias, dim=-1)
        logits = torch.stack([100 * one @ words[name].T for one, name in zip(unit, (0, 1, 1), strict=True)])
        grid = logits.transpose(1, 2).reshape(3, 2, 5, 5)
        maps = torch.nn.functional.interpolate(grid, size=(70, 70), mode="bilinear", align_corners=True).softmax(dim=1)
        total = total + focal_loss(maps, masks) + dice_loss(maps[:, 1], masks)
    torch.testing.assert_close(found.total, total, rtol=1e-4, atol=1e-5)
    found.total.backward()
    assert {name for name, value in student.named_parameters() if value.grad is not None} == {
        f"layers.layers.{stage}.{kind}" for stage in range(4) for kind in ("weight", "bias")
    }


def test_coop_restated(config, clip, golden):
    """Cross entropy of plain CLIP's image feature against "[V] normal|anomalous <class>.", one context for both."""
    own = replace(config, method="coop", layers=None, depth=None)
    settings = encoder_settings(own, clip)
    key = features_of(own, settings, facts_of(clip.visual, "small", "", None, "", 0), dtype="fp32")
    assert (key.dpam, key.layers, key.post_norm_class) == ("qk", (), True)
    student = make_student(own, clip, settings, CLASSES)
    image = clip.encode_image(torch.from_numpy(golden["images"]))
    found = student.loss(Features(image, image.new_empty(3, 0, 25, 64)), batch_of(golden, [1, 0, 1]))
    expected = []
    for index, name in enumerate(("beta", "alpha", "beta")):
        learner = PromptLearner(clip.text_tower(), clip.tokenizer(), prompt_settings(own, clip).for_class(name))
        learner.load_learned(student.learned())
        assert learner.settings.templates[1].endswith(f"X anomalous {name}.")
        assert (learner.settings.n_ctx, learner.settings.depth) == (16, 1)
        pair = learner.text_features(clip.text_tower())
        logits = torch.nn.functional.normalize(image[index], dim=-1) @ pair.T / 0.07
        expected.append(-logits.log_softmax(dim=-1)[int(golden["labels"][index])])
    torch.testing.assert_close(found.total, torch.stack(expected).mean(), rtol=1e-4, atol=1e-5)
    assert list(student.learned()) == ["ctx_pos"]


def test_object_aware_prompts_of_one_class_are_prompts_with_its_words(config, clip, golden):
    """With a single class the loss is AnomalyCLIP's with "object" replaced."""
    own = replace(config, method="object-aware")
    settings = encoder_settings(own, clip)
    student = make_student(own, clip, settings, CLASSES)
    patches = torch.stack([torch.from_numpy(golden[f"patch_{layer}"])[:, 1:] for layer in (2, 4, 6)], dim=1)
    features, batch = Features(torch.from_numpy(golden["image_feature"]), patches), batch_of(golden, [1, 1, 1])
    agnostic = make_student(config, clip, settings, CLASSES)
    words = prompt_settings(own, clip).for_class("beta")
    assert words.templates[1].endswith("X damaged beta.")
    agnostic.learner = PromptLearner(clip.text_tower(), clip.tokenizer(), words, seed=own.seed)
    for a, b in zip(student.loss(features, batch)[:3], agnostic.loss(features, batch)[:3], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_an_image_without_truth_keeps_its_own_words(config, clip, golden):
    """Known pixels are a subset: the pairs are chosen with them."""
    own = replace(config, method="object-aware")
    student = make_student(own, clip, encoder_settings(own, clip), CLASSES)
    patches = torch.stack([torch.from_numpy(golden[f"patch_{layer}"])[:, 1:] for layer in (2, 4, 6)], dim=1)
    features, batch = Features(torch.from_numpy(golden["image_feature"]), patches), batch_of(golden, [0, 1, 0])
    found = student.loss(features, batch._replace(known=torch.tensor([False, True, False])))
    one = Batch(None, None, batch.labels[1:2], batch.masks[1:2], batch.known[1:2], batch.classes[1:2])
    alone = student.loss(Features(features.image[1:2], patches[1:2]), one)
    torch.testing.assert_close(found.pixel, alone.pixel, rtol=1e-4, atol=1e-5)


def batch_features(golden):
    """Image features (3, 64) and the patches (3, 3, 25, 64) of layers 2, 4 and 6."""
    patches = torch.stack([torch.from_numpy(golden[f"patch_{layer}"])[:, 1:] for layer in (2, 4, 6)], dim=1)
    return Features(torch.from_numpy(golden["image_feature"]), patches)


def heads_of(config, clip, **given):
    own = replace(config, method="heads", depth=None, **given)
    return make_student(own, clip, encoder_settings(own, clip), CLASSES)


def test_heads_start_as_the_words_they_start_from_with_the_words_own_loss(config, clip, golden):
    pair = ensemble_text_features(clip, clip.tokenizer(), "object", "clip")
    features, batch = batch_features(golden), batch_of(golden, [0, 1, 1])
    expected = training_loss(features, pair, batch.labels, batch.masks, batch.known)
    for found, word in zip(heads_of(config, clip).loss(features, batch)[:3], expected[:3], strict=True):
        torch.testing.assert_close(found, word, rtol=1e-5, atol=1e-6)


def test_heads_restated_with_their_gradients(config, clip, golden):
    """The total by hand from its definition, one pair a layer; and each vector's gradient by autograd of that."""
    student, batch, tau = heads_of(config, clip), batch_of(golden, [0, 1, 1]), 0.07
    with torch.no_grad():
        for seed, value in enumerate(student.parameters()):
            value.copy_(torch.randn(value.shape, generator=torch.Generator().manual_seed(seed)))
    features = batch_features(golden)
    image, patches = (value.detach().clone().requires_grad_() for value in student.parameters())
    cosine = torch.cosine_similarity(features.image[:, None], image[None], dim=-1)
    total = -(cosine / tau).log_softmax(dim=-1)[torch.arange(3), batch.labels].mean()
    masks = batch.masks.double()
    for row in range(3):
        near = torch.cosine_similarity(features.patches[:, row, :, None], patches[row][None, None], dim=-1)
        grid = (near / tau).softmax(dim=-1).transpose(1, 2).reshape(3, 2, 5, 5)
        maps = torch.nn.functional.interpolate(grid, size=(70, 70), mode="bilinear").double()
        pt = torch.where(masks > 0, maps[:, 1], maps[:, 0]) * (1 - 1e-5)
        pt = pt + torch.where(masks > 0, maps[:, 0], maps[:, 1]) * 1e-5 + 1e-5
        total = total - 4 * ((1 - pt) ** 2 * pt.log()).mean()
        for p, g in ((maps[:, 1], masks), (maps[:, 0], 1 - masks)):
            over, sums = (p * g).sum(dim=(1, 2)), p.sum(dim=(1, 2)) + g.sum(dim=(1, 2))
            total = total + 4 * (1 - (2 * over + 1) / (sums + 1)).mean()
    found = student.loss(features, batch)
    torch.testing.assert_close(found.total.double(), total, rtol=1e-5, atol=1e-5)
    found.total.backward()
    total.backward()
    for mine, theirs in zip(student.parameters(), (image, patches), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-3, atol=1e-5)
    assert {name: tuple(value.shape) for name, value in student.learned().items()} == {
        "image": (2, 64),
        "patches": (3, 2, 64),
    }


def test_heads_learn_from_labels_alone_and_from_pixels_alone(config, clip, golden):
    features, batch = batch_features(golden), batch_of(golden, [0, 1, 1])
    for level, moved, still in (("image", "image", "patches"), ("pixel", "patches", "image")):
        student = heads_of(config, clip, level=level)
        student.loss(features, batch).total.backward()
        assert float(getattr(student, moved).grad.abs().max()) > 0
        unmoved = getattr(student, still).grad
        assert unmoved is None or not unmoved.any()


def test_heads_that_start_elsewhere_are_another_run(config, dataset, tmp_path):
    own = replace(config, method="heads", depth=None, epochs=1)
    first = train(own, datasets=[dataset])
    found = load_heads(first.prompts)
    assert found.layers == (2, 4, 6)
    with pytest.raises(ConfigError, match=r"start was .*, now "):
        train(replace(own, start="winclip-ensemble"), datasets=[dataset])
    words = train(replace(config, output=str(tmp_path / "words"), epochs=1), datasets=[dataset]).prompts
    again = train(replace(own, start=str(words), output=str(tmp_path / "again")), datasets=[dataset])
    assert load_heads(again.prompts).sha256 != found.sha256
    with pytest.raises(PromptError, match="holds learned heads, not prompts"):
        train(replace(own, start=str(first.prompts), output=str(tmp_path / "third")), datasets=[dataset])


def test_a_method_has_its_own_defaults_and_what_is_given_wins():
    def recipe(**given):
        return TrainConfig(data=("x",), output="y", **given).recipe

    assert (recipe().level, recipe().dpam, recipe().n_ctx, recipe().depth) == ("both", "vv", 12, 9)
    coop = recipe(method="coop")
    assert (coop.level, coop.dpam, coop.n_ctx, coop.depth) == ("image", "qk", 16, 1)
    assert recipe(method="coop", level="both", n_ctx=4).level == "both"
    assert recipe(method="vand").pixel_weight == 1
    assert (recipe().tau, recipe(method="vand").tau) == (scoring.TAU, linear.TAU)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "clip"}, "method 'clip': expected one of anomalyclip, object-aware, coop, vand, heads"),
        ({"method": "vand", "level": "both"}, "trains on pixels alone"),
        ({"method": "vand", "dpam": "vv"}, "reads plain CLIP's one path"),
        ({"method": "vand", "n_ctx": 4}, "learns no prompts, so n_ctx means nothing"),
        ({"method": "vand", "pixel_weight": 0.0}, "leaves nothing to train"),
        ({"method": "heads", "depth": 3}, "learns no prompts, so depth means nothing"),
        ({"method": "coop", "start": "clip"}, "so start means nothing; leave it out"),
    ],
)
def test_what_a_method_cannot_do_is_told(changes, message):
    with pytest.raises(ConfigError, match=message):
        TrainConfig(data=("x",), output="y", **changes)
