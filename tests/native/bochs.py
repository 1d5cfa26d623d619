"""Programs on processors that only Bochs knows: those with AVX-512. No operating system, no BIOS: a ROM of 64 KB
(driver/bare.S) starts the program, which finds its input in memory and prints to the printer port, which is a file."""

from __future__ import annotations

import os
import pty
import shutil
import subprocess
from pathlib import Path

import pytest

DRIVER = Path(__file__).parent / "driver"
NEEDED = "no bochs here: apt-get install --no-install-recommends bochs bochs-term"
_FLAGS = ("-std=gnu11", "-fno-math-errno", "-ffreestanding", "-fno-pie", "-fno-stack-protector")
_MACHINE = """config_interface: textconfig
display_library: term
megs: 256
romimage: file={folder}/rom, address=0xffff0000
{images}
cpu: model={model}, count=1, ips=4000000, reset_on_triple_fault=0
parport1: enabled=1, file={folder}/printed
log: {folder}/log
panic: action=fatal
"""
_BLOCK = 2**17  # of memory, as Bochs takes it: an image may fill one, or it lies in what the next image takes


def build(folder: Path, target: str, flags: list[str], optimisation: str = "-O3") -> Path:
    """The program of one target for a bare machine, with the optimisation that the library is built with.

    AVX-VNNI is on none of Bochs' processors: its one instruction is assembled in the form of AVX-512, which computes
    the same in the same registers.

    Args:
        folder: for the program. target: the name of a file of csrc. flags: more of the compiler's.
        optimisation: a lower one compiles in half the time.
    """
    if shutil.which("bochs-bin") is None or shutil.which("gcc") is None:
        pytest.skip(NEEDED)
    compiler = ["gcc", optimisation, *_FLAGS]
    listing, program = folder / f"{target}.s", folder / f"{target}.bin"
    subprocess.run([*compiler, *flags, "-S", "-o", str(listing), str(DRIVER / "driver.c")], check=True)
    listing.write_text(listing.read_text().replace("{vex} vpdpbusd", "{evex} vpdpbusd"))
    linked = ["-nostdlib", "-static", "-no-pie", f"-Wl,-T,{DRIVER / 'bare.ld'}", "-Wl,--oformat=binary"]
    subprocess.run([*compiler, *linked, "-o", str(program), str(listing), str(DRIVER / "bare.c")], check=True)
    rom = ["-nostdlib", "-Wl,-Ttext=0xffff0000,-e0,--oformat=binary,--build-id=none", "-no-pie", str(DRIVER / "bare.S")]
    subprocess.run(["gcc", *rom, "-o", str(folder / "rom")], check=True)
    return program


def _images(program: Path) -> str:
    """The program block by block, then the input, the only one that may be larger: nothing comes after it."""
    content, places = program.read_bytes(), []
    for number, start in enumerate(range(0, len(content), _BLOCK)):
        part = program.with_suffix(f".{number}")
        part.write_bytes(content[start : start + _BLOCK])
        places.append((part, 0x100000 + start))
    places.append((program.parent / "input", 0x8000000))
    assert len(places) <= 4, f"a program of {len(content)} bytes, Bochs takes three blocks of it"
    return "\n".join(
        f"optramimage{at}: file={file}, address={address:#x}" for at, (file, address) in enumerate(places, 1)
    )


def run(program: Path, model: str, kernel: str, given: bytes) -> bytes:
    """What a kernel printed; an assertion fails if the program did not reach its end.

    Args:
        model: of the processor, as Bochs names it. given: standard input.
    """
    folder = program.parent
    (folder / "input").write_bytes(kernel.encode().ljust(64, b"\0") + given)
    (folder / "machine").write_text(_MACHINE.format(folder=folder, images=_images(program), model=model))
    (folder / "commands").write_text("c\nq\n")  # Debian's Bochs is a debugger: it waits for the word to go on
    (folder / "printed").unlink(missing_ok=True)
    ours, its = pty.openpty()  # it draws a screen, whoever looks
    try:
        subprocess.run(
            ["bochs-bin", "-q", "-f", str(folder / "machine"), "-rc", str(folder / "commands")],
            stdin=its, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False,
            env={**os.environ, "TERM": "xterm"},
        )  # fmt: skip
    finally:
        os.close(ours), os.close(its)
    printed = (folder / "printed").read_bytes() if (folder / "printed").exists() else b""
    said = [line for line in (folder / "log").read_text(errors="replace").splitlines() if ">>PANIC<<" in line]
    assert printed[-4:] == b"END\0", f"the program did not reach its end: {said}"
    return printed[:-4]
