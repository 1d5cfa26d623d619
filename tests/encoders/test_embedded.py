"""The embedded graph: torch's features for every size, made from exactly these files, and no torch on its way."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, StemConfig, StemStage, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.weights import load_clip, save_clip
from anomalyclip.encoders import FeatureRequest
from anomalyclip.encoders.embedded import (
    GRAPH,
    HEADS,
    PREPARED,
    PROMPTS,
    SIDECAR,
    WEIGHTS,
    EmbeddedEncoder,
    find_embedded,
    quickest,
    read_embedded,
)
from anomalyclip.encoders.graph_sessions import GRAPH_RUNTIMES, open_graph, open_prepared
from anomalyclip.encoders.prepared import prepared_weights
from anomalyclip.encoders.torch import see
from anomalyclip.errors import ConfigError, WeightsError
from anomalyclip.hub import resolve_model
from anomalyclip.pretraining.graph.making import make_graph, verify_graph
from anomalyclip.pretraining.graph.tower import Recipe, encoder_graph

POCKET = resolve_model("pocket").weights.parent
ALL = FeatureRequest(True, (4,), (1, 3), stages=(4, 5), summaries=(3,), dpam="vv", dpam_blocks=3, post_norm_class=False)
STEM = StemConfig(8, (StemStage(3, 2, 1, 8, 1), StemStage(5, 2, 2, 12, 2), StemStage(5, 2, 2, 6, 1)), (1, 2, 3), 8)


def pixels(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize(
    "runtime",
    [pytest.param("native", marks=pytest.mark.skipif(quickest() != "native", reason="no kernels")), *GRAPH_RUNTIMES],
)
def test_pocket_is_torchs_at_every_size(runtime: str) -> None:
    gaps = verify_graph(POCKET, runtime)
    assert set(gaps) == {"text", "image", "patches", "tokens", "stages", "summaries"}
    assert gaps["text"] == 0


def test_what_lies_in_the_package_is_what_the_command_makes(tmp_path: Path) -> None:
    for name in (WEIGHTS, PROMPTS, HEADS):
        shutil.copy(POCKET / name, tmp_path)
    make_graph(tmp_path)
    made, kept = (onnx.load(folder / GRAPH, load_external_data=False) for folder in (tmp_path, POCKET))
    assert made.graph == kept.graph
    told, known = (json.loads((folder / SIDECAR).read_text()) for folder in (tmp_path, POCKET))
    assert {**told, "files": 0, "handed": 0} == {**known, "files": 0, "handed": 0}
    assert sorted(told["handed"]) == sorted(known["handed"])


def test_the_prepared_graph_computes_the_same_and_holds_no_weights() -> None:
    embedded = read_embedded(POCKET)
    weights = prepared_weights(POCKET / WEIGHTS, embedded.handed)
    numbers = sum(each.numel() for each in load_clip(POCKET / WEIGHTS).visual.parameters())
    assert sum(value.nbytes for value in weights.values()) > 0.98 * 4 * numbers
    assert (POCKET / PREPARED).stat().st_size < 500_000
    plain = open_graph("onnx", POCKET / GRAPH, 1, 1)
    quick = open_prepared(POCKET / PREPARED, weights, 1, 1)
    names = ["image", "patches_4", "tokens_2", "stage_3", "summary_6"]
    del weights  # what was handed over is onnxruntime's now
    for given in (pixels(1, 3, 320, 320), pixels(1, 3, 48, 80)):
        for found, expected in zip(quick(given, names), plain(given, names), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    other = {name: value * 1.01 for name, value in prepared_weights(POCKET / WEIGHTS, embedded.handed).items()}
    changed = open_prepared(POCKET / PREPARED, other, 1, 1)(pixels(1, 3, 48, 80), ["image"])
    assert not np.allclose(changed, plain(pixels(1, 3, 48, 80), ["image"]), rtol=1e-2)


@pytest.mark.parametrize(
    ("stem", "activation", "recipe"),
    [
        (None, "gelu", Recipe((2, 4), "qq", 3, True)),
        (None, "quick_gelu", Recipe((3,), "qk", 0, True)),
        (None, "quick_gelu", Recipe((1,), "kk", 4, False)),
        (STEM, "quick_gelu", Recipe((4, 3), "vv", 2, False)),
    ],
)
def test_other_towers_and_paths(tmp_path: Path, stem: StemConfig | None, activation: str, recipe: Recipe) -> None:
    vision = VisionConfig(32, 8, 32, 4, 2, stem=stem, activation=activation)
    config = CLIPConfig(24, vision, TextConfig(16, 512, 32, 1, 2))
    save_clip(tmp_path / WEIGHTS, random_clip(config, seed=2), dtype=torch.float32)
    visual = load_clip(tmp_path / WEIGHTS).visual
    (tmp_path / GRAPH).write_bytes(encoder_graph(config, tmp_path / WEIGHTS, recipe).SerializeToString())
    request = FeatureRequest(
        True, tuple(sorted(recipe.layers)), (1, 3), (1, 2, 3) if stem else (), summaries=(2, 3) if stem else (),
        dpam=recipe.dpam, dpam_blocks=recipe.dpam_blocks, post_norm_class=recipe.post_norm_class,
    )  # fmt: skip
    names = ["image", *(f"patches_{n}" for n in request.patches), "tokens_1", "tokens_3"]
    names += [f"stage_{n}" for n in request.stages] + [f"summary_{n}" for n in request.summaries]
    run = open_graph("onnx", tmp_path / GRAPH, 1, 1)
    for shape in ((2, 3, 32, 32), (1, 3, 45, 67)):
        given = pixels(*shape)
        with torch.inference_mode():
            expected = see(visual, torch.from_numpy(given), request).numpy()
        groups = (expected.patches, expected.tokens, expected.stages, expected.summaries)
        wanted = [expected.image, *(one for group in groups for one in group.values())]
        for name, found, value in zip(names, run(given, names), wanted, strict=True):
            np.testing.assert_allclose(found, value, rtol=1e-4, atol=1e-4, err_msg=name)


def test_without_kernels_onnxruntime_takes_over(monkeypatch: pytest.MonkeyPatch) -> None:
    embedded, given = read_embedded(POCKET), pixels(1, 3, 64, 96)
    usual = EmbeddedEncoder(embedded, name="pocket")
    monkeypatch.setenv("ANOMALYCLIP_KERNELS", "0")
    other = EmbeddedEncoder(embedded, name="pocket")
    assert other.runtime == "onnx"
    assert usual.provenance() == other.provenance() == {}
    for one, two in zip(
        usual.encode(given, ALL).patches.values(), other.encode(given, ALL).patches.values(), strict=True
    ):
        assert np.linalg.norm(one - two) < 5e-6 * np.linalg.norm(two)
    with pytest.raises(ConfigError, match="switched off"):
        EmbeddedEncoder(embedded, name="pocket", runtime="native")


def test_a_picture_does_not_depend_on_its_neighbours_nor_on_streams() -> None:
    embedded = read_embedded(POCKET)
    one, two = (EmbeddedEncoder(embedded, name="pocket", threads=2, streams=streams) for streams in (1, 2))
    given = pixels(3, 3, 64, 96)
    together, apart = two.encode(given, ALL), [one.encode(given[at : at + 1], ALL) for at in range(3)]
    assert together.grid == (4, 6)
    assert len(together) == 3
    for at, alone in enumerate(apart):
        np.testing.assert_allclose(together.patches[4][at], alone.patches[4][0], atol=1e-5)
        np.testing.assert_allclose(together.stages[5][at], alone.stages[5][0], atol=1e-5)
    assert together.stages[4].shape == (3, 88, 4, 6)


@pytest.mark.parametrize("name", [WEIGHTS, PROMPTS, HEADS, GRAPH, PREPARED])
def test_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    for each in (WEIGHTS, PROMPTS, HEADS, GRAPH, PREPARED, SIDECAR):
        shutil.copy(POCKET / each, tmp_path)
    assert find_embedded(tmp_path / WEIGHTS) is not None
    read_embedded.cache_clear()
    content = bytearray((tmp_path / name).read_bytes())
    content[-1] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=f"{name} in .* differs from what graph.json was made with"):
        find_embedded(tmp_path / WEIGHTS)


def test_a_damaged_sidecar_and_none_at_all(tmp_path: Path) -> None:
    shutil.copy(POCKET / WEIGHTS, tmp_path)
    assert find_embedded(tmp_path / WEIGHTS) is None
    (tmp_path / SIDECAR).write_text('{"files": {}}')
    with pytest.raises(WeightsError, match=r"graph\.json cannot be read .* python -m anomalyclip"):
        find_embedded(tmp_path / WEIGHTS)
    (tmp_path / SIDECAR).write_text((POCKET / SIDECAR).read_text().replace("{", '{"files": {}, ', 1))
    with pytest.raises(WeightsError, match=r"graph\.json cannot be read .'files' is there twice"):
        find_embedded(tmp_path / WEIGHTS)


def test_other_prompts_are_not_its_own(tmp_path: Path) -> None:
    shutil.copy(POCKET / PROMPTS, tmp_path / "copy")
    assert find_embedded(POCKET / WEIGHTS, tmp_path / "copy") is not None
    (tmp_path / "copy").write_bytes(b"other")
    assert find_embedded(POCKET / WEIGHTS, tmp_path / "copy") is None


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        (FeatureRequest(patches=(2,), dpam="vv"), "gives patches of layer 4 here"),
        (FeatureRequest(tokens=(4,)), "gives tokens of layer 1, 2, 3 here"),
        (FeatureRequest(patches=(4,), dpam="qq"), "computes with dpam 'vv' here, not 'qq'"),
        (FeatureRequest(patches=(4,), dpam="vv", dpam_blocks=1), "computes with dpam_blocks 3 here, not 1"),
        (FeatureRequest(image=True, post_norm_class=True), "computes with post_norm_class False"),
        (FeatureRequest(windows=(2,)), "gives no windows here"),
        (FeatureRequest(stages=(9,)), "stages"),
    ],
)
def test_what_it_lacks_is_refused_with_the_extra(request_: FeatureRequest, told: str) -> None:
    refusal = EmbeddedEncoder(read_embedded(POCKET), name="pocket").offers(request_)
    assert refusal is not None
    assert told in refusal
    assert "\n" not in refusal
    assert "anomalyclip[torch]" in refusal or request_.stages
    assert EmbeddedEncoder(read_embedded(POCKET), name="pocket").offers(ALL) is None


def test_bad_calls() -> None:
    with pytest.raises(ConfigError, match="runs on native, onnx, openvino, not on 'torch'"):
        EmbeddedEncoder(read_embedded(POCKET), name="pocket", runtime="torch")
    with pytest.raises(ConfigError, match="below one patch"):
        EmbeddedEncoder(read_embedded(POCKET), name="pocket").encode(pixels(1, 3, 15, 40), ALL)


def test_no_torch_on_its_way() -> None:
    code = f"""
import sys
sys.modules["torch"] = None
import numpy as np
from pathlib import Path
from anomalyclip.encoders import FeatureRequest
from anomalyclip.encoders.embedded import EmbeddedEncoder, find_embedded
from anomalyclip.scoring_arrays import anomaly_map, image_score
embedded = find_embedded(Path({str(POCKET / WEIGHTS)!r}))
request = FeatureRequest(True, (4,), dpam="vv")
found = EmbeddedEncoder(embedded, name="pocket").encode(np.zeros((1, 3, 64, 80), np.float32), request)
maps = anomaly_map([found.patches[4]], embedded.text, (64, 80), grid=found.grid)
print(maps.shape, image_score(found.image, embedded.text))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("(1, 64, 80) [0.")


def test_the_graph_is_not_taken_where_its_weights_are_said_to_be_read_otherwise() -> None:
    """Told another activation, pocket is another backbone: its own prompts are refused, never judged by the graph."""
    import anomalyclip
    from anomalyclip.errors import PromptError

    with pytest.raises(PromptError, match="were learned on pocket"):
        anomalyclip.load("pocket", activation="gelu")
