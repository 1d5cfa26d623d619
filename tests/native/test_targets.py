"""Kernels of other processors under an emulator, and this one's under sanitizers, on odd shapes.

A small program (driver/driver.c) runs one kernel without Python. ARM's targets need Debian's gcc-aarch64-linux-gnu and
qemu-user, those with AVX-512 and AVX-VNNI Debian's bochs: `make emulators`.
`ANOMALYCLIP_SANITIZE=1 pytest tests/native/test_targets.py` compiles with ASan and UBSan, and runs AVX2 too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from PIL import Image
from tests.native import bochs, towers
from tests.native.drivers import SANITIZE, Driver, Run

from anomalyclip.clip.blocks import Block
from anomalyclip.encoders import FeatureRequest, tower_weights
from anomalyclip.encoders.native_weights import group_of, pack_block
from anomalyclip.encoders.torch import see
from anomalyclip.judges.memory.index import _short, _turned
from anomalyclip.native.compile import FOLDER
from anomalyclip.native.library import Layout, why_not
from anomalyclip.native.resize import weights
from anomalyclip.native.targets import AMD, AVX2, AVX512, AVX512_VNNI

LAYOUTS = {
    "avx2": Layout(16, 2, 6, 2, 0),
    "avxvnni": Layout(16, 4, 6, 1, 0),
    "avx512vnni": Layout(32, 4, 12, 1, 0),
    "dotprod": Layout(8, 4, 12, 1, 128),
    "i8mm": Layout(8, 4, 12, 1, 0),
}


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """run(target, kernel, sizes, arrays) gives what the kernel wrote."""
    return Driver(tmp_path_factory.mktemp("drivers"))


needs_sanitizers = pytest.mark.skipif(not SANITIZE, reason="the other tests run AVX2; ANOMALYCLIP_SANITIZE=1 sanitizes")
MODELS = {
    "corei7_sandy_bridge_2600k": 0,
    "corei7_haswell_4770": AVX2,
    "ryzen": AVX2 | AMD,
    "corei7_skylake_x": AVX2 | AVX512,
    "tigerlake": AVX2 | AVX512 | AVX512_VNNI,
}
"""What Bochs' processors have of what targets need."""
SINGLE = [pytest.param("avx2", marks=needs_sanitizers), "neon", "avx512"]
SHAPES = [
    (1, 1, 32, 0, 1),
    (29, 29, 64, 0, 1),
    (29, 29, 64, 2, 2),
    (1, 1, 32, 1, 1),
    (109, 109, 32, 1, 1),
    (261, 1, 32, 0, 1),
]
INT8 = [pytest.param("avx2", marks=needs_sanitizers), "dotprod", "i8mm", "avx512vnni", "avxvnni"]


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize(("tokens", "queries", "width", "a", "b"), SHAPES)
def test_attention(run: Run, target: str, tokens: int, queries: int, width: int, a: int, b: int) -> None:
    """What is compared with itself (a = b) in one square and in two; what is not, in one part and in two."""
    rng = np.random.default_rng(tokens)
    qkv, bias = (
        rng.normal(size=(2, tokens, 3, 2, width)).astype(np.float32),
        rng.normal(size=(3, 2, width)).astype(np.float32),
    )
    if a < b < 2:
        qkv[:, -5:, b] *= 4  # the last keys score highest: of 261, those of the second part
    assert_attends(run, target, qkv, bias, queries, a, b)


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize("apart", [3, 6])
def test_attention_of_rows_of_all_lengths_to_themselves(run: Run, target: str, apart: int) -> None:
    """Shares of keys 2^30 apart, and 2^150, of which no row's sum may vanish."""
    qkv = np.random.default_rng(apart).normal(size=(1, 13, 3, 1, 32)).astype(np.float32)
    qkv[:, ::2, 2] *= apart
    assert_attends(run, target, qkv, np.zeros((3, 1, 32), np.float32), 13, 2, 2, rtol=2e-6)  # values of up to 18


def assert_attends(
    run: Run,
    target: str,
    qkv: NDArray[np.float32],
    bias: NDArray[np.float32],
    queries: int,
    a: int,
    b: int,
    rtol: float = 1e-7,
) -> None:
    """softmax(A B^T / sqrt(d)) V, written out in float64, of images (N, tokens, 3, heads, d)."""
    images, tokens, _, heads, width = qkv.shape
    out = run(target, "attention", [images, tokens, heads, width, queries, a, b], [qkv, bias])
    found = np.frombuffer(out, np.float32).reshape(images, queries, heads, width)
    parts = np.moveaxis((qkv + bias).astype(float), 2, 0)
    scores = np.einsum("iqhd,ikhd->ihqk", parts[a], parts[b]) / width**0.5
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    expected = np.einsum("ihqk,ikhd->iqhd", weights / weights.sum(-1, keepdims=True), parts[2])[:, :queries]
    assert_allclose(found, expected, atol=5e-6, rtol=rtol)


@pytest.mark.parametrize("target", SINGLE)
def test_quick_gelu(run: Run, target: str) -> None:
    rng = np.random.default_rng(1)
    x, bias = (20 * rng.normal(size=size).astype(np.float32) for size in ((17, 48), (48,)))
    y = (x + bias).astype(float)
    found = np.frombuffer(run(target, "quick_gelu", [17, 48], [x, bias]), np.float32).reshape(17, 48)
    assert_allclose(found, y / (1 + np.exp(-1.702 * y)), atol=1e-6, rtol=2e-6)


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize(
    ("rows", "inner", "columns", "tall", "wide", "quick"),
    [(1, 16, 1, 96, 96, 0), (101, 32, 45, 96, 45, 1), (13, 1040, 35, 13, 32, 1), (2, 16, 530, 2, 530, 0)],
)
def test_linear(run: Run, target: str, rows: int, inner: int, columns: int, tall: int, wide: int, quick: int) -> None:
    """Several pieces, several parts of the inner dimension (1040 in three), edges of tiles and panels."""
    rng = np.random.default_rng(rows)
    x, weight, bias = (rng.normal(size=size).astype(np.float32) for size in ((rows, inner), (columns, inner), columns))
    given = [x, weight, bias] if quick else [x, weight]
    found = run(target, "linear", [rows, inner, columns, tall, wide, quick, len(given) == 3], given)
    y = x.astype(float) @ weight.T.astype(float) + (bias if quick else 0)
    with np.errstate(over="ignore"):
        expected = y / (1 + np.exp(-1.702 * y)) if quick else y
    assert_allclose(
        np.frombuffer(found, np.float32).reshape(rows, columns), expected, atol=2e-6 * inner**0.5, rtol=1e-5
    )


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize(("queries", "rows"), [(12, 1), (29, 45), (41, 8)])
def test_search(run: Run, target: str, queries: int, rows: int) -> None:
    rng = np.random.default_rng(rows)
    asked, bank = (rng.normal(size=(count, 19)).astype(np.float32) for count in (queries, rows))
    out = run(target, "search", [queries, rows, 19], [asked, bank])
    products = asked.astype(float) @ bank.T.astype(float)
    assert_allclose(np.frombuffer(out, np.float32, queries), products.max(1), atol=2e-5)
    assert np.frombuffer(out, np.int32, queries, 4 * queries).tolist() == products.argmax(1).tolist()
    assert_allclose(np.frombuffer(out, np.float32, rows, 8 * queries), products.max(0), atol=2e-5)


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize(("queries", "rows", "width"), [(12, 1, 9), (29, 45, 31), (41, 307, 64)])
def test_search_by_bounds(run: Run, target: str, queries: int, rows: int, width: int) -> None:
    """A bank with structure, of which most rows are never measured whole."""
    rng = np.random.default_rng(width)
    scales = (0.8 ** np.arange(width)).astype(np.float32)
    asked, bank = (rng.normal(size=(count, width)).astype(np.float32) * scales for count in (queries, rows))
    turned = _turned(bank)
    short, second = _short(asked, turned.turn, 1.0)
    short_bank, _ = _short(bank, turned.turn, -turned.minus)
    second[:, -2] *= -1
    sizes = [queries, rows, short.shape[1], width, second.shape[1]]
    margin = np.float32([1e-5 * turned.longest * np.linalg.norm(asked, axis=1).max()])
    given = [short, short_bank, asked, bank, second, turned.second, turned.minus, margin]
    out = run(target, "bounded", sizes, given)
    values = asked.astype(float) @ bank.T.astype(float) - (bank.astype(float) ** 2).sum(1) / 2
    assert_allclose(np.frombuffer(out, np.float32, queries), values.max(1), atol=2e-5)
    assert np.frombuffer(out, np.int32, queries, 4 * queries).tolist() == values.argmax(1).tolist()
    measured = int(np.frombuffer(out, np.int64, 1, 8 * queries)[0])
    assert queries <= measured <= queries * max(1, rows // 4)


def codes_of(vectors: np.ndarray, largest: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, D) integers and (N, 1) steps as csrc/search_u8.h says: queries to 63, a bank to 127 or full words."""
    top = abs(vectors).max(1, keepdims=True) / np.float32(largest)
    if largest == 127:
        padded = np.pad(abs(vectors), [(0, 0), (0, -vectors.shape[1] % 32)])
        four = padded.reshape(len(vectors), -1, 8, 4).cumsum(2, dtype=np.float32)[:, :, -1]  # one after the other
        words = four[..., ::2] + four[..., 1::2]
        top = np.maximum(top, words.max((1, 2))[:, None] / np.float32(252))
    return np.rint(vectors * (np.float32(1) / top)), top


def filled(plus: np.ndarray, target: str, value: float = -3e38) -> np.ndarray:
    """What is added to a bank's rows, filled up to whole panels: with what nothing can beat less than."""
    return np.pad(plus, (0, -len(plus) % LAYOUTS[target].panel), constant_values=value).astype(np.float32)


@pytest.mark.parametrize("target", INT8)
@pytest.mark.parametrize(("queries", "rows", "width"), [(1, 1, 9), (29, 45, 31), (41, 8, 208)])
@pytest.mark.parametrize("loud", [False, True])
def test_bounds_are_those_of_the_codes(run: Run, target: str, queries: int, rows: int, width: int, loud: bool) -> None:
    """loud: all coordinates nearly as large as the largest, one pair all of one sign: words of 16 bits are full;
    else some coordinates are not coded, whose lengths bound what they add."""
    rng = np.random.default_rng(width)
    asked, bank = (rng.normal(size=(count, width)).astype(np.float32) for count in (queries, rows))
    if loud:
        asked, bank = (np.sign(one) + one / 64 for one in (asked, bank))
        asked[0], bank[0] = abs(asked[0]), abs(bank[0])
    plus, more = (rng.normal(size=count).astype(np.float32) for count in (queries, rows))
    (q, step), (m, bank_step) = codes_of(asked, 63), codes_of(bank, 127)
    bounds = (q * step).astype(float) @ (m * bank_step).astype(float).T + plus[:, None] + more
    rest, bank_rest = (rng.random(count).astype(np.float32) for count in (queries, rows))
    left = [] if loud else [rest, filled(bank_rest, target, 0.0)]
    bounds += 0 if loud else rest[:, None].astype(float) * bank_rest
    unit = np.float32(abs(bounds).max() / 32000)  # in which bounds are held, rounded
    given = [asked, bank, plus, filled(more, target), np.zeros(1, np.float32), unit, *left]
    out = run(target, "codes", [queries, rows, width, 0, len(left)], given)
    best, at = np.frombuffer(out, np.float32, queries), np.frombuffer(out, np.int32, queries, 4 * queries)
    columns = np.frombuffer(out, np.float32, rows, 8 * queries)
    column_at = np.frombuffer(out, np.int32, rows, 8 * queries + 4 * rows)
    assert_allclose(best, bounds.max(1), atol=0.52 * unit)
    assert_allclose(columns, bounds.max(0), atol=0.52 * unit)
    assert (bounds[np.arange(queries), at] > bounds.max(1) - 1.04 * unit).all()
    assert (bounds[column_at, np.arange(rows)] > bounds.max(0) - 1.04 * unit).all()


@pytest.mark.parametrize("target", INT8)
@pytest.mark.parametrize(("queries", "rows", "width"), [(12, 1, 9), (31, 46, 31), (190, 430, 24)])
def test_what_codes_cannot_tell_apart_is_measured(run: Run, target: str, queries: int, rows: int, width: int) -> None:
    """Every vector has a twin that differs by less than a step."""
    rng = np.random.default_rng(rows)
    asked, bank = (
        (rng.normal(size=(-(-count // 2), 1, width)) + 1e-3 * rng.normal(size=(1, 2, width))).reshape(-1, width)[:count]
        for count in (queries, rows)
    )
    asked, bank = asked.astype(np.float32), bank.astype(np.float32)
    (_, step), (_, bank_step) = codes_of(asked, 63), codes_of(bank, 127)
    lengths = [np.linalg.norm(one, axis=1).max() for one in (asked, bank)]
    margin = np.float32(5 / 12**0.5 * np.hypot(step.max() * lengths[1], bank_step.max() * lengths[0]))
    unit = np.float32((1.1 * lengths[0] * lengths[1] + margin) / 32000)
    none = np.zeros(max(queries, rows), np.float32)
    given = [asked, bank, none[:queries], filled(none[:rows], target), margin, unit]
    out = run(target, "codes", [queries, rows, width, 1, 0], given)
    values = asked.astype(float) @ bank.T.astype(float)
    assert_allclose(np.frombuffer(out, np.float32, queries), values.max(1), rtol=2e-6)
    assert np.frombuffer(out, np.int32, queries, 4 * queries).tolist() == values.argmax(1).tolist()
    assert_allclose(np.frombuffer(out, np.float32, rows, 8 * queries), values.max(0), rtol=2e-6)
    assert np.frombuffer(out, np.int32, rows, 8 * queries + 4 * rows).tolist() == values.argmax(0).tolist()
    measured = int(np.frombuffer(out, np.int64, 1, 8 * (queries + rows))[0])
    assert max(queries, rows) <= measured <= queries * max(2, rows // 4)


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (7, 9, 5, 4), (2, 3, 9, 11), (61, 83, 13, 17), (5, 40, 5, 2)])
def test_resize_is_pillows(run: Run, target: str, shape: tuple[int, int, int, int]) -> None:
    height, width, down, across = shape
    image = np.random.default_rng(height).integers(0, 256, (height, width, 4), dtype=np.uint8)
    levels = np.arange(768, dtype=np.float32)
    columns, rows = weights(width, across, "bicubic"), weights(height, down, "bicubic")
    sides = [[across, columns.four_times.shape[1]], columns.four_times, columns.begin]
    sides += [[down, rows.values.shape[1]], rows.values, rows.begin]
    given = [np.array(one, np.int64) if isinstance(one, list) else one for one in sides]
    out = np.frombuffer(run(target, "resize", [height, width], [image, levels, *given]), np.float32)
    expected = Image.fromarray(image[..., :3]).resize((across, down), Image.Resampling.BICUBIC)
    assert np.array_equal(
        out.reshape(3, down, across), np.moveaxis(np.asarray(expected), -1, 0) + 256.0 * np.arange(3)[:, None, None]
    )


@pytest.mark.parametrize("target", INT8)
@pytest.mark.parametrize(("tokens", "width", "heads", "own"), [(290, 64, 2, 2), (7, 96, 1, 0), (1, 288, 9, 1)])
@pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
@torch.inference_mode()
def test_a_block_in_int8_is_that_of_this_processor(
    run: Run, target: str, tokens: int, width: int, heads: int, own: int
) -> None:
    """Whose kernels are held against the simulation in tests/encoders; only floats may round otherwise."""
    from anomalyclip.clip.config import CLIPConfig, TextConfig, VisionConfig
    from anomalyclip.clip.model import random_clip
    from anomalyclip.encoders.native import NativeEncoder

    vision = VisionConfig(28, 4, width, 1, heads, activation="gelu" if own else "quick_gelu")
    visual = random_clip(CLIPConfig(16, vision, TextConfig(8, 32, 16, 1, 1)), seed=1).visual.eval()
    x = torch.randn(2, tokens, width, generator=torch.Generator().manual_seed(tokens))
    block: Block = visual.transformer.resblocks[0]  # type: ignore[assignment]
    for name, values in block.named_parameters():  # the biases of fresh blocks are 0
        if name.endswith("bias"):
            values.data.normal_(std=0.2, generator=torch.Generator().manual_seed(len(name)))
    native = NativeEncoder(visual, 1)
    original, taps = native._run(x, frozenset({1}), 1, own)
    packed, hidden = pack_block(block, LAYOUTS[target]), 4 * width
    arrays = [one.numpy() for one in packed.norms]
    for linear in packed.linears:
        arrays += [one.numpy() for one in (linear.panels, linear.scale, linear.sums, linear.bias)]
    sizes = [2, tokens, width, heads, hidden, group_of(hidden), int(not own), own]
    out = np.frombuffer(run(target, "encode", sizes, [*arrays, x.numpy()]), np.float32).reshape(2, 2, tokens, width)
    for found, expected in ((out[0], original.numpy()), (out[1], taps[1].numpy())):
        assert np.linalg.norm(found - expected) < 2e-3 * np.linalg.norm(expected)


TOWER = {"avx2": (16, 8, 6), "avx512": (32, 16, 12), "neon": (8, 4, 12)}
"""By target: panel, lanes, and rows that may be read beyond a stage."""


@pytest.mark.parametrize("target", SINGLE)
@pytest.mark.parametrize(("stem", "height", "width"), [("small", 24, 40), ("all kinds", 72, 168)])
@torch.inference_mode()
def test_a_tower_is_torchs(run: Run, target: str, stem: str, height: int, width: int) -> None:
    """Every stage, the patches and tokens of every block, and the image's feature, as they lie one after the other."""
    visual = towers.visual_of(stem)
    packed = towers.packed_of(visual, tower_weights.Layout(*TOWER[target]))
    picture = np.random.default_rng(width).normal(size=(3, height, width)).astype(np.float32)
    positions = visual.positions((height // packed.stem.stride, width // packed.stem.stride)).numpy()
    out = np.frombuffer(run(target, "tower", [], towers.streamed(packed, picture, positions, 2, 1)), np.float32)
    every = tuple(range(1, towers.DEPTH + 1))
    numbers = {int(end) + 1: stage for stage, end in enumerate(packed.ends, 1)}
    request = FeatureRequest(True, every, every, tuple(numbers.values()), dpam="vv", dpam_blocks=2)
    wanted = see(visual, torch.from_numpy(picture[None]), request).numpy()
    at = 0
    height, width = -(-height // 2), -(-width // 2)
    for number, block in enumerate(packed.struct.stem[: packed.struct.stem_blocks], 1):
        height, width = -(-height // block.stride), -(-width // block.stride)
        size = height * width * block.outputs
        if number in numbers:
            stage = out[at : at + size].reshape(height, width, block.outputs)
            expected = np.moveaxis(wanted.stages[numbers[number]][0], 0, -1)
            assert_allclose(stage, expected, atol=1e-5 * abs(expected).max())
        at += size
    for expected in (*(one[n][0] for n in every for one in (wanted.patches, wanted.tokens)), wanted.image[0]):
        found = out[at : at + expected.size].reshape(expected.shape)
        assert_allclose(found, expected, atol=2e-5 * abs(expected).max())
        at += expected.size
    assert at == len(out)


@pytest.mark.parametrize("model", MODELS)
def test_a_processor_is_asked_what_it_has(tmp_path: Path, model: str) -> None:
    program = bochs.build(tmp_path, "cpu", [f"-I{FOLDER / 'csrc'}", '-DTARGET_FILE="cpu.c"'])
    assert np.frombuffer(bochs.run(program, model, "features", b""), np.int32).tolist() == [MODELS[model]]
