"""Kernels broken on purpose, each in one place: the tests of test_targets.py have to notice, whatever the target.

One kernel of one target is compiled alone, from sources that were changed by a line.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

import pytest
from tests.native import test_targets as held
from tests.native.broken_towers import TOWERS, Broken
from tests.native.drivers import BARE, Driver

from anomalyclip.native.compile import FOLDER
from anomalyclip.native.library import why_not

HEADS = {
    "avx2": '#include "simd_avx2.h"',
    "avxvnni": '#define AVX_VNNI\n#include "simd_avx2.h"',
    "avx512": '#include "simd_avx512.h"',
    "avx512vnni": '#define MULTIPLY_CODES\n#include "simd_avx512.h"',
    "neon": '#include "simd_neon.h"',
    "dotprod": '#define DOT_PRODUCT\n#include "simd_neon.h"',
    "i8mm": '#define I8MM\n#include "simd_neon.h"',
}
SHAPE = {"queries": 29, "rows": 45}
QUICK = "-O1"
"""What is broken is compiled as for ARM: half of the time of these tests was the compiler's at -O3."""


long_attention = partial(held.test_attention, tokens=261, queries=1, width=32, a=0, b=1)
short_attention = partial(held.test_attention, tokens=29, queries=29, width=64, a=0, b=1)
self_attention = partial(held.test_attention, tokens=109, queries=109, width=32, a=1, b=1)
uneven_attention = partial(held.test_attention_of_rows_of_all_lengths_to_themselves, apart=6)
deep_linear = partial(held.test_linear, rows=13, inner=1040, columns=35, tall=13, wide=32, quick=1)
whole_tiles = partial(held.test_linear, rows=12, inner=1040, columns=32, tall=12, wide=32, quick=0)
resize = partial(held.test_resize_is_pillows, shape=(61, 83, 13, 17))
bounded = partial(held.test_search_by_bounds, rows=307, queries=41, width=64)
long_block = partial(held.test_a_block_in_int8_is_that_of_this_processor, tokens=290, width=64, heads=2, own=2)
wide_block = partial(held.test_a_block_in_int8_is_that_of_this_processor, tokens=1, width=288, heads=9, own=1)

loud_codes = partial(held.test_bounds_are_those_of_the_codes, queries=29, rows=45, width=31, loud=True)
twin_codes = partial(held.test_what_codes_cannot_tell_apart_is_measured, queries=190, rows=430, width=24)

SINGLE = {
    **TOWERS,
    "sums of earlier keys are not rescaled": Broken(
        "attention_f32.h", "total[r] * keep[r] + prob", "total[r] + prob", "attention_f32.h", long_attention
    ),
    "keys beyond the last count": Broken(
        "attention_f32.h", "top)), count - k, splat(0))", "top)), LANES, splat(0))", "attention_f32.h", short_attention
    ),
    "squares do not serve their columns": Broken(
        "self_attention_f32.h", "if (row == first) return;", "return;", "attention_f32.h", self_attention
    ),
    "totals lack what is left of the diagonal": Broken(
        "self_attention_f32.h", "+= below[k]", "+= 0 * below[k]", "attention_f32.h", self_attention
    ),
    "keys beyond the last have a share": Broken(
        "head_f32.h", "h->tokens - i, splat(0)));", "LANES, splat(0)));", "attention_f32.h", self_attention
    ),
    "rows' sums vanish": Broken("head_f32.h", "SPREAD 60.0f", "SPREAD 999.0f", "attention_f32.h", uneven_attention),
    "a factor of QuickGELU": Broken("simd.h", "-1.702f", "-1.70f", "activation_f32.h", held.test_quick_gelu),
    "the last tile loses a query": Broken(
        "search_f32.h", "r = first - q; r < TILE", "r = first - q + 1; r < TILE", "search_f32.h",
        partial(held.test_search, **SHAPE),
    ),
    "a row's largest is its latest": Broken(
        "search_f32.h", "larger(load(job->columns + i), load(values + i))", "load(values + i)", "search_f32.h",
        partial(held.test_search, **SHAPE),
    ),
    "rows that bounds leave open are left out": Broken(
        "search_f32.h", "if (!(bounds[row] > open)", "if (!(bounds[row] > open + 9)", "search_f32.h", bounded
    ),
    "sums of earlier parts are forgotten": Broken(
        "linear_f32.h", "sum[r][1] += load(y + r * across + LANES);", "", "linear_f32.h", whole_tiles
    ),
    "sums of earlier parts are forgotten at the edges": Broken(
        "linear_f32.h", "more ? (Floats)(here", "0 ? (Floats)(here", "linear_f32.h", deep_linear
    ),
    "a panel's right half is its left": Broken(
        "linear_f32.h", "first + i < count ? first + i", "i < count ? i", "linear_f32.h", deep_linear
    ),
    "a bias is the first column's": Broken(
        "linear_f32.h", "some_of(job->bias + column + c,", "some_of(job->bias + c,", "linear_f32.h", deep_linear
    ),
    "pieces begin at the first column": Broken(
        "linear_f32.h", "column = piece % across * job->wide", "column = 0", "linear_f32.h", deep_linear
    ),
    "levels are cut, not rounded": Broken(
        "resize_u8.h", "sum[j] = (Ints){0} + (1 << (BITS - 1))", "sum[j] = (Ints){0}", "resize_u8.h", resize
    ),
    "rows begin one too low": Broken(
        "resize_u8.h", "narrow + down->begin[y] * bytes", "narrow + (down->begin[y] + 1) * bytes", "resize_u8.h", resize
    ),
}  # fmt: skip
INT8 = {
    "words of 16 bits overflow": Broken("codes_u8.h", "full > top ? full : top", "top", "search_u8.h", loud_codes),
    "what 64 adds is not taken off": Broken(
        "codes_u8.h",
        "64.0f * step * (float)total_of(sum)",
        "63.0f * step * (float)total_of(sum)",
        "search_u8.h",
        loud_codes,
    ),
    "a row's end is not coded": Broken(
        "codes_u8.h", "gather(row + d, 1, width - d)", "splat(0)", "search_u8.h", partial(loud_codes, width=9)
    ),
    "bounds are held under another row": Broken(
        "search_u8.h", "larger_words(words_at(b->tops + r * PANEL), words)", "words", "search_u8.h", loud_codes
    ),
    "columns are not measured beyond their first bound": Broken(
        "search_u8.h", "bounds[i] > limits[i]) call", "0) call", "search_u8.h", twin_codes
    ),
    "columns are not looked at where rows are settled": Broken(
        "search_u8.h", " | (here > theirs)", "", "search_u8.h", twin_codes
    ),
    "what is not coded is left out": Broken(
        "search_u8.h", "job->rest ? fma_of(", "0 ? fma_of(", "search_u8.h", partial(loud_codes, loud=False)
    ),
    "the margin is forgotten": Broken(
        "search_u8.h", "other * other) + job->least", "other * other)", "search_u8.h", twin_codes
    ),
    "pairs that wait are dropped": Broken(
        "search_u8.h",
        "while (b->answered < b->called) answer(b);",
        "b->answered = b->called;",
        "search_u8.h",
        twin_codes,
    ),
    "a later block forgets what columns had": Broken(
        "search.h", "value > job->columns[m]) job", "1) job", "search_u8.h", twin_codes
    ),
    "zero points are not taken off": Broken(
        "gemm_u8.h", "splat(rows->zero[row + r])", "splat(0.0f)", "encoder_u8.h", long_block
    ),
    "of four steps of codes the last is the first": Broken(
        "gemm_u8.h",
        "add_codes(sum, base, stride, panel, i);",
        "add_codes(sum, base, stride, panel, i % 3);",
        "encoder_u8.h",
        long_block,
    ),
    "sums of earlier keys are not rescaled": Broken(
        "attention_u8.h", "load(total + r) * keep", "load(total + r)", "encoder_u8.h", long_block
    ),
    "a bias is added by every group": Broken(
        "encoder_u8.h", "first ? NULL : layer->down.bias", "layer->down.bias", "encoder_u8.h", wide_block
    ),
}


OWN = {
    ("avx2", "codes are joined out of order"): Broken(
        "simd_avx2.h", "_mm256_permute4x64_epi64(low, 0xd8)", "low", "encoder_u8.h", long_block
    ),
    ("avx2", "a later chunk forgets what earlier ones had"): Broken(
        "search_u8.h",
        "else sums[r][half] += sums_of",
        "else sums[r][half] = sums_of",
        "search_u8.h",
        partial(loud_codes, queries=41, rows=8, width=208),
    ),
    ("avx2", "columns change places in packing"): Broken(
        "simd_avx2.h", "(fours[i], fours[i + 4], 0x31)", "(fours[i], fours[i + 4], 0x21)", "linear_f32.h", whole_tiles
    ),
    ("avx512", "a vector is packed twice"): Broken(
        "simd_avx512.h", "load(vectors[i] + at)", "load(vectors[i & 14] + at)", "linear_f32.h", whole_tiles
    ),
    ("neon", "columns change places in packing"): Broken(
        "simd_neon.h", "(even.val[i], odd.val[i])", "(odd.val[i], even.val[i])", "linear_f32.h", whole_tiles
    ),
    ("avxvnni", "the right half is the left"): Broken(
        "simd_avx2.h", "DOT(sum_right, codes_, right)", "DOT(sum_right, codes_, left)", "search_u8.h", loud_codes
    ),
    ("avxvnni", "units change places"): Broken(
        "simd_avx2.h", "q[2] & 255) << 16 | q[3] << 24", "q[3] & 255) << 16 | q[2] << 24", "encoder_u8.h", long_block
    ),
    ("avxvnni", "codes are joined out of order"): Broken(
        "simd_avx2.h", "((unit) % 4 * 2 + (unit) / 4)", "(unit)", "encoder_u8.h", long_block
    ),
    ("avx512", "the right half is the left"): Broken(
        "simd_avx512.h", "vfmadd231ps %4, %%zmm31, %1", "vfmadd231ps %3, %%zmm31, %1", "search_f32.h",
        partial(held.test_search, **SHAPE),
    ),
    ("avx512", "lanes beyond the last are kept"): Broken(
        "simd_avx512.h", "_mm512_mask_mov_ps(rest, inside, x)", "x", "attention_f32.h", short_attention
    ),
    ("avx512", "nothing is above a limit"): Broken(
        "simd_avx512.h", "splat(limit), _CMP_GT_OQ", "splat(limit), _CMP_FALSE_OQ", "search_f32.h", bounded
    ),
    ("avx512", "the whole part is lost"): Broken(
        "simd_avx512.h", "_mm512_scalef_ps(p, whole)", "p", "activation_f32.h", held.test_quick_gelu
    ),
    ("avx512vnni", "the right half is the left"): Broken(
        "simd_avx512.h", "vpdpbusd %4, %%zmm31, %1", "vpdpbusd %3, %%zmm31, %1", "search_u8.h", loud_codes
    ),
    ("avx512vnni", "halves of a panel change places"): Broken(
        "simd_avx512.h", "_mm512_cvtsepi32_epi16((__m512i)right), 1)", "_mm512_cvtsepi32_epi16((__m512i)right), 0)",
        "search_u8.h", loud_codes,
    ),
    ("avx512vnni", "the largest is the latest"): Broken(
        "simd_avx512.h", "(Words)_mm512_max_epi16((__m512i)a, (__m512i)b)", "b", "search_u8.h", loud_codes
    ),
    ("avx512vnni", "no word is open"): Broken(
        "simd_avx512.h", "_mm512_movepi16_mask((__m512i)mask) != 0", "0", "search_u8.h", twin_codes
    ),
    ("avx512vnni", "codes are joined out of order"): Broken(
        "simd_avx512.h", "((unit) % 4 * 4 + (unit) / 4)", "(unit)", "encoder_u8.h", long_block
    ),
    ("dotprod", "codes are not shifted"): Broken(
        "simd_neon.h", "veorq_u8(packed, vdupq_n_u8(SHIFT))", "packed", "encoder_u8.h", long_block
    ),
    ("dotprod", "halves of a panel change places"): Broken(
        "simd_neon.h",
        "vcombine_s16(vqmovn_s32(left), vqmovn_s32(right))",
        "vcombine_s16(vqmovn_s32(right), vqmovn_s32(left))",
        "search_u8.h",
        loud_codes,
    ),
    ("i8mm", "the largest is the latest"): Broken(
        "simd_neon.h", "return vmaxq_s16(a, b);", "return b;", "search_u8.h", loud_codes
    ),
}  # fmt: skip
"""Of what these targets have of their own, and one of what they share."""


def driver(broken: Broken, target: str, folder: Path) -> Driver:
    """The program of one broken kernel."""
    sources = folder / "csrc"
    shutil.copytree(FOLDER / "csrc", sources)
    text = (sources / broken.file).read_text()
    assert text.count(broken.right) == 1, f"{broken.file} was changed: name another place"
    (sources / broken.file).write_text(text.replace(broken.right, broken.wrong))
    included = [f'#include "{header}"' for header in ("simd.h", broken.kernel)]
    alone = [f"#define TARGET {target}", HEADS[target], *included, "SIMD_END"]
    (sources / f"{target}.c").write_text("\n".join(alone) + "\n")
    return Driver(folder, sources, bare=QUICK)


@pytest.mark.parametrize("target", ["avx2", "avx512", "neon"])
@pytest.mark.parametrize("name", SINGLE)
def test_a_broken_kernel_is_noticed(name: str, target: str, tmp_path: Path) -> None:
    if target == "avx2" and why_not("fp32") is not None:
        pytest.skip(str(why_not("fp32")))
    program = driver(SINGLE[name], target, tmp_path)  # whose own assertion must not be taken for the test's
    with pytest.raises(AssertionError):
        SINGLE[name].check(program, target)


@pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
@pytest.mark.parametrize("target", ["avx2", "avxvnni", "avx512vnni", "dotprod", "i8mm"])
@pytest.mark.parametrize("name", INT8)
def test_a_broken_kernel_in_int8_is_noticed(name: str, target: str, tmp_path: Path) -> None:
    program = driver(INT8[name], target, tmp_path)
    with pytest.raises(AssertionError):
        INT8[name].check(program, target)


@pytest.mark.skipif(why_not("int8") is not None, reason=str(why_not("int8")))
@pytest.mark.parametrize(("target", "name"), OWN)
def test_a_broken_operation_of_one_target_is_noticed(target: str, name: str, tmp_path: Path) -> None:
    program = driver(OWN[target, name], target, tmp_path)
    with pytest.raises(AssertionError):
        OWN[target, name].check(program, target)


@pytest.mark.parametrize("target", BARE)
def test_what_is_whole_passes_when_compiled_as_quickly(target: str, tmp_path: Path) -> None:
    """Or a program that the lower optimisation spoils would be taken for a fault that was noticed."""
    if target != "avx512" and (reason := why_not("int8")) is not None:
        pytest.skip(reason)
    program = Driver(tmp_path, bare=QUICK)
    shared = (SINGLE if target == "avx512" else INT8).values()
    own = [broken for (theirs, _), broken in OWN.items() if theirs == target]
    for check in dict.fromkeys(broken.check for broken in (*shared, *own)):
        check(program, target)
