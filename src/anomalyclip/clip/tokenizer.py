"""CLIP's byte-pair tokenizer, on the `tokenizers` library; a smaller vocabulary is a prefix of the same merges."""

from __future__ import annotations

import gzip
import html
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

from anomalyclip.errors import ConfigError, InputError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as FastTokenizer
    from torch import Tensor

FULL_VOCAB_SIZE = 49408
_BYTES, _SPECIAL = 256, 2
_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"


class Tokenizer:
    """Text to token ids, as CLIP does: lower case, BPE, start and end tokens, zero padding.

    ``vocab_size`` keeps the first ``vocab_size - 514`` merges (512 byte symbols, 2 special tokens); 49408 is OpenAI's.

    >>> Tokenizer().encode_batch(["a photo of a damaged object."])[0, :8].tolist()
    [49406, 320, 1125, 539, 320, 13568, 14115, 269]
    """

    def __init__(self, vocab_size: int = FULL_VOCAB_SIZE, context_length: int = 77) -> None:
        smallest = 2 * _BYTES + _SPECIAL
        if not smallest <= vocab_size <= FULL_VOCAB_SIZE:
            raise ConfigError(f"vocab_size must lie in {smallest}..{FULL_VOCAB_SIZE}, got {vocab_size}")
        if context_length < 3:
            raise ConfigError(f"context_length must be at least 3 (start, one token, end), got {context_length}")
        self.vocab_size = vocab_size
        self.context_length = context_length
        self.sot, self.eot = vocab_size - 2, vocab_size - 1

    def encode(self, text: str) -> list[int]:
        """Token ids of ``text`` without start, end or padding."""
        ids: list[int] = _bpe(self.vocab_size).encode(_clean(text)).ids
        return ids

    def encode_batch(self, texts: Sequence[str], truncate: bool = False) -> Tensor:
        """Ids of ``texts``: int64 (B, context_length), ``[SOT, ..., EOT, 0, ...]``.

        Raises:
            InputError: a text is too long for the context and ``truncate`` is off.
        """
        import torch

        out = torch.zeros(len(texts), self.context_length, dtype=torch.int64)
        room = self.context_length - 2
        for row, text in enumerate(texts):
            ids = self.encode(text)
            if len(ids) > room and not truncate:
                shown = text if len(text) <= 60 else text[:57] + "..."
                raise InputError(f"the text {shown!r} has {len(ids)} tokens, at most {room} fit; shorten it")
            ids = [self.sot, *ids[:room], self.eot]
            out[row, : len(ids)] = torch.tensor(ids)
        return out


def _clean(text: str) -> str:
    """Repair Unicode, undo HTML escapes (twice), squeeze white space, lower the case: as OpenAI's tokenizer does.

    ftfy makes curly quotes straight, ligatures letters and full-width letters plain, undoes wrong decodings and
    composes; the training captions went through it.
    """
    from ftfy import fix_text  # only where a text is encoded: a fiftieth of a second

    return " ".join(html.unescape(html.unescape(fix_text(text))).split()).lower()


def _byte_symbols() -> list[str]:
    """One printable character per byte, in the order of OpenAI's vocabulary (printable bytes first)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(_BYTES - len(printable))]


def _merges(count: int) -> list[tuple[str, str]]:
    data = files("anomalyclip").joinpath("assets").joinpath("bpe_merges.txt.gz").read_bytes()
    lines = gzip.decompress(data).decode("utf-8").splitlines()
    pairs = []
    for line in lines[:count]:
        left, right = line.split(" ")
        pairs.append((left, right))
    return pairs


@lru_cache(maxsize=4)
def _bpe(vocab_size: int) -> FastTokenizer:
    from tokenizers import Regex
    from tokenizers import Tokenizer as FastTokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel, Split
    from tokenizers.pre_tokenizers import Sequence as Steps

    symbols = _byte_symbols()
    merges = _merges(vocab_size - 2 * _BYTES - _SPECIAL)
    words = symbols + [symbol + "</w>" for symbol in symbols] + ["".join(pair) for pair in merges]
    vocabulary = {word: index for index, word in enumerate(words)}
    fast = FastTokenizer(BPE(vocab=vocabulary, merges=merges, end_of_word_suffix="</w>"))
    splitter = Split(Regex(_PATTERN), behavior="removed", invert=True)
    fast.pre_tokenizer = Steps([splitter, ByteLevel(add_prefix_space=False, use_regex=False)])
    return fast
