"""Token ids against the reference's sample, and against a brute-force byte-pair encoder written from the definition."""

from __future__ import annotations

import gzip
import itertools
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalyclip.clip.tokenizer import Tokenizer
from anomalyclip.errors import ConfigError, InputError

SAMPLE = ["a photo of a damaged object.", "X X X object.", "Ünïcode & 123 it's #1!", "scratch " * 90]


def merges() -> list[tuple[str, str]]:
    data = files("anomalyclip").joinpath("assets").joinpath("bpe_merges.txt.gz").read_bytes()
    return [tuple(line.split(" ")) for line in gzip.decompress(data).decode().splitlines()]


MERGES = {pair: rank for rank, pair in enumerate(merges())}


def brute_force(word: str, limit: int) -> list[str]:
    """Merge the best-ranked adjacent pair until none of the first ``limit`` merges applies."""
    parts = [*word[:-1], word[-1] + "</w>"]
    while True:
        ranked = [(MERGES.get(pair, limit), i) for i, pair in enumerate(itertools.pairwise(parts))]
        rank, i = min(ranked, default=(limit, 0))
        if rank >= limit:
            return parts
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def test_ids_equal_the_reference(golden):
    assert Tokenizer().encode_batch(SAMPLE, truncate=True).tolist() == golden["tokens_sample"].tolist()


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12), st.sampled_from([600, 4000, 49408]))
def test_words_equal_brute_force(word, vocab_size):
    tokenizer = Tokenizer(vocab_size)
    limit = vocab_size - 514
    symbols = tokenizer.encode(word)
    expected = brute_force(word, limit)
    assert len(symbols) == len(expected)
    for identity, part in zip(symbols, expected, strict=True):
        if identity >= 512:
            assert "".join(merges_list[identity - 512]) == part


merges_list = merges()


def test_small_vocabulary_moves_the_special_tokens():
    row = Tokenizer(8192, 12).encode_batch(["damaged"])[0].tolist()
    assert row[0] == 8190
    assert max(row) == 8191  # the end-of-text id is the largest: argmax finds it
    assert row[row.index(8191) + 1 :] == [0] * (12 - row.index(8191) - 1)


def test_too_long_text_is_refused_with_its_length():
    with pytest.raises(InputError, match=r"has 90 tokens, at most 75 fit"):
        Tokenizer().encode_batch(["scratch " * 90])


@pytest.mark.parametrize(("vocab_size", "context"), [(513, 77), (50000, 77), (49408, 2)])
def test_impossible_sizes_are_refused(vocab_size, context):
    with pytest.raises(ConfigError, match=r"vocab_size|context_length"):
        Tokenizer(vocab_size, context)


def test_empty_text_is_start_and_end():
    assert Tokenizer().encode_batch([""])[0, :3].tolist() == [49406, 49407, 0]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a \u201cdamaged\u201d part\u2019s edge", 'a "damaged" part\'s edge'),  # curly quotes
        ("e\ufb03cient \ufb02aw", "efficient flaw"),  # ligatures
        ("\uff46\uff55\uff4c\uff4c \uff37\uff29\uff24\uff34\uff28", "full width"),
        ("cafe\u0301", "caf\u00e9"),  # composed
        ("caf\u00c3\u00a9", "caf\u00e9"),  # UTF-8 read as Latin-1
        ("a &amp;amp; b", "a & b"),
        ("  two\u3000spaces\n", "two spaces"),
    ],
)
def test_texts_are_repaired_as_openais_tokenizer_repairs_them(written, read):
    tokenizer = Tokenizer()
    assert tokenizer.encode(written) == tokenizer.encode(read)
