"""Mutated files of every format, read as an upload is: in a process with limits, which none of them may end."""

from __future__ import annotations

import random
import struct
import time
import zlib
from contextlib import suppress
from pathlib import Path

import psutil
from outcome import Outcome
from seeds import FORMATS

from anomalyclip.errors import ImageReadError
from anomalyclip.io.isolation import SECONDS, DecoderDied, Decoders

_SLOW = 5.0  # seconds of its decoder's CPU, for a picture of a few thousand pixels
_MOST_PIXELS = 2_000_000
_NASTY = (0, 1, 7, 65_535, 2**16, 2**31 - 1, 2**31, 2**32 - 1)
_PNG = b"\x89PNG\r\n\x1a\n"


def fuzz(name: str, first: int, count: int, seed: int, scratch: Path) -> Outcome:
    """Read the mutated files of a format from number `first` on; name, seed and number make each again."""
    seeds, outcome, decoders = FORMATS[name](), Outcome(f"fuzz {name}", count), Decoders(1)
    read = refused = 0
    slowest = 0.0
    decoders.warm()
    try:
        for number in range(first, first + count):
            rng = random.Random(f"{name} {seed} {number}")
            data, frame = _mutated(seeds, rng), rng.choice((None, 0, 1))
            start = time.monotonic()
            try:
                decoders.read(data, frame=frame, max_pixels=_MOST_PIXELS)
                read += 1
            except DecoderDied as death:
                outcome.dead += 1
                outcome.note(f"file {number}: {death}")
            except ImageReadError as error:
                refused += 1
                if "\n" in str(error):
                    outcome.note(f"file {number}: a reason of several lines")
            seconds = time.monotonic() - start
            slowest = max(slowest, seconds)
            if seconds > _SLOW:  # by the clock, which runs for everybody on this machine: look closer
                outcome.slow += _computing(decoders, data, frame) > _SLOW
    finally:
        decoders.close()
    outcome.counts, outcome.most = {"read": read, "refused": refused}, {"slowest, s": slowest}
    return outcome


def _computing(decoders: Decoders, data: bytes, frame: int | None) -> float:
    """Seconds of CPU that the decoder's process takes for a file; all that it may take where the file ends it."""
    decoders.warm()
    before = _taken()
    with suppress(ImageReadError):
        decoders.read(data, frame=frame, max_pixels=_MOST_PIXELS)
    taken = _taken() - before
    return taken if taken >= 0.0 else SECONDS


def _taken() -> float:
    """By the processes of ours that are running now."""
    times = [child.cpu_times() for child in psutil.Process().children()]
    return sum(one.user + one.system for one in times)


def _mutated(seeds: list[bytes], rng: random.Random) -> bytes:
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(max(1, len(data) if rng.random() < 0.5 else min(len(data), 300)))
        rng.choice((_byte, _long, _short, _cut, _again))(data, at, rng)
    return _summed_again(bytes(data)) if rng.random() < 0.8 else bytes(data)


def _summed_again(data: bytes) -> bytes:
    """A PNG with its sums right, so that a mutation comes further than the first of them; other files as they are."""
    if not data.startswith(_PNG):
        return data
    parts, at = [_PNG], len(_PNG)
    while at + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + size]
        if len(body) < size + 4:
            break
        parts.append(data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body)))
        at += 12 + size
    return b"".join([*parts, data[at:]])


def _byte(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 1] = bytes([rng.randrange(256)])


def _long(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 4] = struct.pack(rng.choice("<>") + "I", rng.choice(_NASTY))


def _short(data: bytearray, at: int, rng: random.Random) -> None:
    data[at : at + 2] = struct.pack(rng.choice("<>") + "H", rng.choice((0, 1, 255, 32_768, 65_535)))


def _cut(data: bytearray, at: int, rng: random.Random) -> None:
    del data[at : at + rng.randint(1, 64)]


def _again(data: bytearray, at: int, rng: random.Random) -> None:
    start = rng.randrange(max(1, len(data)))
    data[at:at] = data[start : start + rng.randint(1, 128)]
