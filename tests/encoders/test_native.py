"""What the compiled encoder does around its kernels: schedules, shapes, memory, threads, and what it refuses."""

from __future__ import annotations

import threading

import pytest
import torch

from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
from anomalyclip.clip.model import random_clip
from anomalyclip.clip.weights import load_clip, save_clip, vision_blocks
from anomalyclip.encoders import FeatureRequest
from anomalyclip.encoders.native import NativeEncoder, why_not_native
from anomalyclip.encoders.native_weights import pack_linear
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.native import why_not
from anomalyclip.native.library import Layout

needs_kernels = pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))

TEXT = TextConfig(8, 32, 16, 1, 1)


@pytest.fixture(scope="module")
def visual():
    return random_clip(CLIPConfig(16, VisionConfig(28, 4, 64, 4, 2), TEXT), seed=1).visual.eval().requires_grad_(False)


@pytest.fixture(scope="module")
def encoder(visual):
    return NativeEncoder(visual, 2)


def pixels(images: int = 1, height: int = 28, width: int = 28) -> torch.Tensor:
    return torch.randn(images, 3, height, width, generator=torch.Generator().manual_seed(5))


def asked(*layers: int, dpam: str = "vv", blocks: int | None = None, post_norm: bool = False) -> FeatureRequest:
    return FeatureRequest(True, layers, dpam=dpam, dpam_blocks=blocks, post_norm_class=post_norm)


def near(found, expected, limit: float = 0.03) -> None:
    assert sorted(found.patches) == sorted(expected.patches)
    for one, other in [
        (found.image, expected.image),
        *((found.patches[n], expected.patches[n]) for n in found.patches),
    ]:
        assert one.shape == other.shape
        assert (one - other).norm() < limit * other.norm()


def same(one, other) -> None:
    assert torch.equal(one.image, other.image)
    assert list(one.patches) == list(other.patches)
    assert all(torch.equal(one.patches[layer], other.patches[layer]) for layer in one.patches)


@needs_kernels
@pytest.mark.parametrize("layers", [(), (1,), (4,), (2, 4), (3, 1)])
@pytest.mark.parametrize(("dpam", "blocks"), [("vv", None), ("vv", 0), ("qq", 1), ("kk", 4), ("qk", None)])
@pytest.mark.parametrize("post_norm", [False, True])
def test_every_option_means_what_it_means_in_torch(visual, encoder, layers, dpam, blocks, post_norm):
    options = {"layers": layers, "dpam": dpam, "dpam_blocks": blocks, "post_norm_class": post_norm}
    found = encoder.run(pixels(), asked(*layers, dpam=dpam, blocks=blocks, post_norm=post_norm))
    near(found, visual(pixels(), **options))


@needs_kernels
@pytest.mark.parametrize("dpam", ["vv", "qk"])
@pytest.mark.parametrize("layers", [(), (2, 4)])
def test_tokens_of_the_original_path_are_torchs(visual, encoder, layers, dpam):
    request = FeatureRequest(True, layers, (1, 4), dpam=dpam)
    found = encoder.run(pixels(2), request)
    with torch.inference_mode():
        expected = visual(pixels(2), layers=layers, dpam=dpam, original_layers=(1, 4))
    near(found, expected)
    for layer in (1, 4):
        assert (found.tokens[layer] - expected.tokens[layer]).norm() < 0.03 * expected.tokens[layer].norm()
    same(encoder.run(pixels(2), request), found)


@needs_kernels
@pytest.mark.parametrize(("height", "width"), [(28, 28), (20, 44), (4, 4), (30, 27), (64, 68)])
def test_any_grid_and_any_batch(visual, encoder, height, width):
    batch = pixels(3, height, width)
    found = encoder.run(batch, asked(2, 4))
    near(found, visual(batch, layers=[2, 4]))
    for index in range(3):  # an image's numbers do not depend on its company
        alone = encoder.run(batch[index : index + 1], asked(2, 4))
        torch.testing.assert_close(alone.image[0], found.image[index], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(alone.patches[4][0], found.patches[4][index], rtol=1e-5, atol=1e-5)


@needs_kernels
@pytest.mark.parametrize("threads", [1, 3, 7])
def test_the_number_of_threads_changes_no_bit(visual, encoder, threads):
    x = pixels(2, 64, 68)
    same(NativeEncoder(visual, threads).run(x, asked(2, 4)), encoder.run(x, asked(2, 4)))


@needs_kernels
def test_whatever_memory_held_before_does_not_matter(encoder):
    x = pixels(2, 20, 44)
    expected = encoder.run(x, asked(1, 4))
    space = encoder._workspace
    for memory in (
        space.original,
        space.local,
        space.qkv,
        space.attended,
        space.attended_own,
        *space.taps,
        *space.benches,
    ):
        memory.view(torch.uint8).fill_(0xFF)  # NaN as a float
    same(encoder.run(x, asked(1, 4)), expected)
    assert encoder._workspace is space  # it was kept


@needs_kernels
def test_results_do_not_lie_in_kept_memory(encoder):
    first = encoder.run(pixels(), asked(4))
    image, patches = first.image.clone(), first.patches[4].clone()
    encoder.run(2 * pixels(), asked(4))
    assert torch.equal(first.image, image)
    assert torch.equal(first.patches[4], patches)


@needs_kernels
def test_callers_in_several_threads(encoder):
    inputs = [pixels(1, 28, 28 + 4 * index) for index in range(4)]
    expected = [encoder.run(x, asked(4)).image for x in inputs]
    wrong: list[int] = []

    def caller(index: int) -> None:
        found = [encoder.run(inputs[index], asked(4)).image for _ in range(5)]
        wrong.extend(index for image in found if not torch.equal(image, expected[index]))

    callers = [threading.Thread(target=caller, args=(index,)) for index in range(4)]
    for one in callers:
        one.start()
    for one in callers:
        one.join()
    assert wrong == []


@needs_kernels
def test_blocks_are_packed_as_they_are_read(tmp_path, visual):
    clip = random_clip(CLIPConfig(16, visual.config, TEXT), seed=1)
    save_clip(tmp_path / "clip.safetensors", clip, dtype=torch.float32)
    read = load_clip(tmp_path / "clip.safetensors", vision=False)
    held = []

    def watched():
        for block in vision_blocks(read, tmp_path / "clip.safetensors"):
            held.append([not one.attn.in_proj_weight.is_meta for one in read.visual.transformer.resblocks])
            yield block

    streamed = NativeEncoder(read.visual, 1, owned=True, blocks=watched())
    assert held == [[place == number for place in range(4)] for number in range(4)]
    same(streamed.run(pixels(), asked(2, 4)), NativeEncoder(clip.visual, 1).run(pixels(), asked(2, 4)))


@needs_kernels
def test_freed_weights_go_back_to_the_system_block_by_block(monkeypatch):
    """glibc kept them between packed ones: 3.2 GB at the peak for ViT-L/14, where 0.7 suffice."""
    calls = []
    monkeypatch.setattr("anomalyclip.encoders.native._give_back", lambda: calls.append(1))
    for owned, expected in ((False, 0), (True, 4)):
        visual = random_clip(CLIPConfig(16, VisionConfig(28, 4, 64, 4, 2), TEXT), seed=1).visual.eval()
        NativeEncoder(visual, 1, owned=owned)
        assert len(calls) == expected


@needs_kernels
def test_an_owned_tower_gives_its_weights_away():
    visual = random_clip(CLIPConfig(16, VisionConfig(28, 4, 64, 4, 2), TEXT), seed=1).visual.eval()
    expected = NativeEncoder(visual).run(pixels(), asked(4))
    encoder = NativeEncoder(visual, owned=True)
    assert all(parameter.is_meta for parameter in visual.transformer.parameters())
    same(encoder.run(pixels(), asked(4)), expected)
    with pytest.raises(RuntimeError, match="meta"):
        visual(pixels())
    with pytest.raises(ConfigError, match="weights on the CPU, got meta"):
        NativeEncoder(visual)


@needs_kernels
def test_bad_input(visual, encoder):
    for value in (float("nan"), float("inf")):
        x = pixels()
        x[0, 1, 9, 9] = value
        with pytest.raises(InputError, match="must be finite"):
            encoder.run(x, asked())
    with pytest.raises(ConfigError, match=r"layers \[5\] do not exist"):
        encoder.run(pixels(), asked(5))
    with pytest.raises(ConfigError, match=r"dpam_blocks must lie in 0\.\.4"):
        encoder.run(pixels(), asked(4, blocks=5))
    with pytest.raises(ConfigError, match="threads must be 1 or more, got 0"):
        NativeEncoder(visual, 0)


@pytest.mark.parametrize(("width", "heads"), [(48, 1), (64, 4), (320, 1)])
def test_widths_that_the_kernels_do_not_take(width, heads):
    assert "multiples of 32, of a head at most 256" in str(why_not_native(VisionConfig(28, 4, width, 1, heads)))
    visual = random_clip(CLIPConfig(16, VisionConfig(28, 4, width, 1, heads), TEXT)).visual
    with pytest.raises(ConfigError, match=f"has {width} and {width // heads}.*--runtime torch"):
        NativeEncoder(visual)


@pytest.mark.parametrize("layout", [Layout(32, 4, 12, 1, 0), Layout(16, 2, 6, 2, 0), Layout(8, 4, 12, 1, 128)])
def test_packed_weights_are_the_weights(layout):
    weight, bias = torch.randn(64, 24, generator=torch.Generator().manual_seed(1)), torch.arange(64.0)
    weight[3] = 0
    packed = pack_linear(weight, bias, layout, groups=2)
    q = packed.panels.permute(0, 2, 1, 3).reshape(64, 24).float()  # [O / P][I / K][P][K] back to (O, I)
    assert (q * packed.scale[:, None] - weight).abs().max() <= 0.5001 * packed.scale.max()
    assert q[3].eq(0).all()
    assert q.abs().amax(1)[:3].eq(127).all()
    assert torch.equal(packed.sums, torch.stack([q[:, :12].sum(1), q[:, 12:].sum(1)]))
    bias += 1
    assert torch.equal(packed.bias, bias - 1)  # a copy


@pytest.mark.parametrize("rows", [64, 2048, 2080])  # at once 1,024
def test_parts_of_a_matrix_are_packed_as_the_whole(rows):
    weight = torch.randn(rows, 256, generator=torch.Generator().manual_seed(rows))
    packed = pack_linear(weight, torch.zeros(rows), Layout(32, 4, 12, 1, 0), groups=2)
    scale = weight.abs().amax(1) / 127
    q = (weight / scale[:, None]).round()
    assert torch.equal(packed.scale, scale)
    assert torch.equal(packed.panels.permute(0, 2, 1, 3).reshape(rows, 256).float(), q)
    assert torch.equal(packed.sums, q.view(rows, 2, 128).sum(2).T)
