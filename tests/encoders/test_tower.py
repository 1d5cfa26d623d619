"""Towers with a stem on our kernels: torch's features, whatever is asked for, however many threads."""

from __future__ import annotations

import ctypes
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.native.towers import DEPTH, EMBED, STEMS, packed_of, tensors_of, visual_of

from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.vision import interpolate_positions
from anomalyclip.clip.weights import save_clip
from anomalyclip.encoders import FeatureRequest
from anomalyclip.encoders import tower_structs as structs
from anomalyclip.encoders.torch import see, summary
from anomalyclip.encoders.tower import CompiledTower, open_tower, positions_of
from anomalyclip.encoders.tower import summary as own_summary
from anomalyclip.encoders.tower_weights import Layout, takes
from anomalyclip.errors import ConfigError
from anomalyclip.native import kernels, why_not

pytestmark = pytest.mark.skipif(why_not("fp32") is not None, reason=str(why_not("fp32")))


def compiled(
    stem: str, activation: str = "quick_gelu", seats: int = 1, threads: int = 1, **how: object
) -> CompiledTower:
    library = structs.declare(kernels("fp32"))
    numbers = (ctypes.c_int32 * 3)()
    library.ac_tower_layout(numbers)
    return CompiledTower(packed_of(visual_of(stem, activation), Layout(*numbers)), library, seats, threads, **how)


NAMES = ["image", "patches_2", "patches_3", "tokens_1", "stage_2"]


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(
    ("activation", "dpam", "blocks", "post_norm"),
    [("quick_gelu", "vv", 2, False), ("gelu", "qq", 3, True), ("quick_gelu", "kk", 1, False), ("gelu", "qk", 0, True)],
)
@pytest.mark.parametrize(("height", "width"), [(32, 32), (8, 8), (45, 107), (168, 24)])
def test_features_are_torchs(
    stem: str, activation: str, dpam: str, blocks: int, post_norm: bool, height: int, width: int
) -> None:
    visual, stages = visual_of(stem, activation), tuple(range(1, 1 + len(STEMS[stem].stages)))
    every = tuple(range(1, DEPTH + 1))
    request = FeatureRequest(
        True, every, every, stages, summaries=stages, dpam=dpam, dpam_blocks=blocks, post_norm_class=post_norm
    )
    given = pixels(1, 3, height, width)
    with torch.inference_mode():
        expected = see(visual, torch.from_numpy(given), request).numpy()
    tower = compiled(stem, activation, dpam=dpam, dpam_blocks=blocks, post_norm_class=post_norm)
    groups = {
        "patches": expected.patches,
        "tokens": expected.tokens,
        "stage": expected.stages,
        "summary": expected.summaries,
    }
    wanted = {"image": expected.image} | {f"{kind}_{n}": x for kind, group in groups.items() for n, x in group.items()}
    for name, found in zip(wanted, tower(given, list(wanted)), strict=True):
        assert found.shape == wanted[name].shape
        np.testing.assert_allclose(found, wanted[name], rtol=1e-4, atol=2e-5 * abs(wanted[name]).max(), err_msg=name)


@pytest.mark.parametrize("threads", [2, 5])
def test_threads_change_no_bit_and_neither_does_what_else_is_asked_for(threads: int) -> None:
    """What is not needed is not computed: nothing that is given may hang on it."""
    names = ["image", "patches_2", "patches_3", "tokens_1", "tokens_3", "stage_2", "stage_5", "summary_3"]
    given = pixels(1, 3, 104, 72)
    alone, several = compiled("all kinds"), compiled("all kinds", threads=threads)
    whole = dict(zip(names, alone(given, names), strict=True))
    for name in names:
        assert np.array_equal(several(given, [name])[0], whole[name]), name
        assert np.array_equal(alone(given, [name])[0], whole[name]), name
    for pair in (["patches_3", "image"], ["tokens_1", "patches_2"], ["stage_2", "image"]):
        for name, found in zip(pair, several(given, pair), strict=True):
            assert np.array_equal(found, whole[name]), (pair, name)


def test_calls_from_many_threads_and_sizes_do_not_disturb_each_other() -> None:
    tower, fresh = compiled("small", seats=2, threads=2), compiled("small")
    given = [pixels(1, 3, 16 + 8 * (n % 5), 40 - 8 * (n % 3), seed=n) for n in range(24)]
    expected = [fresh(one, ["image", "patches_3"]) for one in given]
    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(lambda one: tower(one, ["image", "patches_3"]), given))
    for theirs, ours in zip(expected, found, strict=True):
        for one, other in zip(theirs, ours, strict=True):
            assert np.array_equal(one, other)
    assert threading.active_count() < 20


def test_what_two_calls_make_at_once_is_not_freed_under_either() -> None:
    """Of positions that both make, one is kept for later: the other must live as long as its call."""
    given = [pixels(1, 3, 8 * side, 8 * (31 - side), seed=side) for side in range(2, 30)]
    fresh = compiled("small")
    expected = [fresh(one, ["image"])[0] for one in given]
    for _ in range(3):
        tower, start = compiled("small", seats=4), threading.Barrier(4)

        def call(one: np.ndarray, tower: CompiledTower = tower, start: threading.Barrier = start) -> np.ndarray:
            start.wait(60)
            return tower(one, ["image"])[0]

        with ThreadPoolExecutor(4) as pool:
            found = [list(pool.map(call, [one] * 4)) for one in given]
        for theirs, ours in zip(expected, found, strict=True):
            assert all(np.array_equal(theirs, one) for one in ours)


@pytest.mark.parametrize("threads", [1, 3])
def test_a_number_that_is_none_is_not_made_one(threads: int) -> None:
    given = pixels(1, 3, 48, 48)
    given[0, 1, 20, 30] = np.nan
    found = dict(zip(NAMES, compiled("small", threads=threads)(given, NAMES), strict=True))
    with torch.inference_mode():
        request = FeatureRequest(True, (2, 3), (1,), (2,), dpam="vv", dpam_blocks=2)
        expected = see(visual_of("small"), torch.from_numpy(given), request).numpy()
    assert np.isnan(found["image"]).all()
    assert np.isnan(expected.image).all()
    for name, values in (("patches_2", expected.patches[2]), ("tokens_1", expected.tokens[1])):
        assert np.isnan(values).all()
        assert np.isnan(found[name]).all(), name
    assert np.array_equal(np.isnan(found["stage_2"]), np.isnan(expected.stages[2]))


@pytest.mark.parametrize("grid", [(4, 4), (1, 1), (3, 9), (13, 2)])
def test_positions_are_torchs(grid: tuple[int, int]) -> None:
    table = pixels(17, 6)
    expected = interpolate_positions(torch.from_numpy(table), grid).numpy()
    np.testing.assert_allclose(positions_of(table, grid), expected, atol=2e-6)


def test_a_summary_is_torchs() -> None:
    stage = pixels(1, 7, 9, 5)
    expected = summary(torch.from_numpy(np.moveaxis(stage, -1, 1))).numpy()
    np.testing.assert_allclose(own_summary(stage), expected, atol=1e-6)


def test_a_file_is_opened_in_half_precision_too(tmp_path: Path) -> None:
    visual = visual_of("small")
    config = CLIPConfig(EMBED, visual.config, TextConfig(16, 512, 32, 1, 2))
    clip = random_clip(config, seed=1)
    clip.visual.load_state_dict(visual.state_dict())
    save_clip(tmp_path / "half.safetensors", clip, dtype=torch.float16)
    found = open_tower(tmp_path / "half.safetensors", 1, 1, dpam_blocks=2)(pixels(1, 3, 32, 32), ["image", "patches_3"])
    rounded = {name: values.astype(np.float16) for name, values in tensors_of(visual).items()}
    again = {
        name.removeprefix("visual."): torch.from_numpy(values.astype(np.float32)) for name, values in rounded.items()
    }
    clip.visual.load_state_dict(again)
    request = FeatureRequest(True, (3,), dpam="vv", dpam_blocks=2)
    with torch.inference_mode():
        expected = see(clip.visual.eval(), torch.from_numpy(pixels(1, 3, 32, 32)), request).numpy()
    np.testing.assert_allclose(found[0], expected.image, atol=2e-5, rtol=1e-4)
    np.testing.assert_allclose(found[1], expected.patches[3], atol=2e-5, rtol=1e-4)


@pytest.mark.parametrize(
    "changed",
    [
        {"stem": None},
        {"width": 48, "heads": 1},
        {"heads": 8},
        {"activation": "gelu_tanh"},
        {"norm_eps": 1e-6},
        {"stem": StemConfig(24, (StemStage(3, 2, 1, 8, 1), StemStage(3, 2, 2, 16, 1)), (2,), 8)},
        {"stem": StemConfig(16, (StemStage(3, 2, 1, 8, 2), StemStage(3, 2, 2, 16, 1)), (2,), 8)},
        {"stem": StemConfig(16, (StemStage(3, 2, 1, 9, 1), StemStage(3, 2, 2, 16, 1)), (2,), 8)},
    ],
)  # fmt: skip
def test_other_towers_are_refused(tmp_path: Path, changed: dict[str, object]) -> None:
    told = {"width": 64, "heads": 2, "stem": STEMS["small"]} | changed
    vision = VisionConfig(32, 8, told.pop("width"), 1, told.pop("heads"), **told)  # type: ignore[arg-type]
    assert takes(visual_of("small").config)
    assert not takes(vision)
    save_clip(tmp_path / "other.safetensors", random_clip(CLIPConfig(8, vision, TextConfig(16, 512, 32, 1, 2)), seed=1))
    with pytest.raises(ConfigError, match="do not know a tower of this shape: use --runtime onnx"):
        open_tower(tmp_path / "other.safetensors", 1, 1)
