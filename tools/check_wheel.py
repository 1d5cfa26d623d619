"""Build sdist and wheels and prove that what users install works: clean metadata, small, and running without a network.

    python tools/check_wheel.py [--tag v0.1.0]

The first wheel is built from the sdist, so a file that the sdist lacks is found, too. Where there is a C compiler it
has compiled kernels, and a second one, for all other machines, has none (ANOMALYCLIP_KERNELS=1 makes a missing first
one an error). The embedded graph is compared with torch first. Both wheels are installed into a fresh virtual
environment in turn, without PyTorch, and score an image in an empty folder.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUDGET = 60 * 10**6
"""Bytes that a distribution may have: PyPI takes 100 MB, and people install over poor connections."""

NEEDED = (
    "anomalyclip/py.typed", "anomalyclip/assets/bpe_merges.txt.gz", "anomalyclip/assets/pocket/model.safetensors",
    "anomalyclip/assets/pocket/graph.onnx", "anomalyclip/assets/pocket/graph.json",
    "anomalyclip/assets/pocket/prepared.onnx",
    "anomalyclip/assets/pocket/prompts.safetensors", "anomalyclip/assets/pocket/heads.safetensors",
    "anomalyclip/detect/report.css", "dist-info/licenses/LICENSE", "dist-info/licenses/NOTICE.md",
    "dist-info/licenses/LICENSES/Apache-2.0.txt", "anomalyclip/native/csrc/cpu.c",
)  # fmt: skip
KERNELS = re.compile(r"anomalyclip/native/_kernels\.(so|dylib|dll)")
UNWANTED = re.compile(r"(^|/)(tests|benchmarks|docs|runs|__pycache__)/|\.pyc$|\.tmp$")
SMOKE = """
import importlib.util
from pathlib import Path
from PIL import Image
import anomalyclip
assert importlib.util.find_spec("torch") is None, "the core dependencies bring torch"
Image.effect_noise((200, 150), 40).convert("RGB").save("part.png")
prediction = anomalyclip.load("pocket", offline=True).detect("part.png", threshold=0.5)
assert 0 <= prediction.score <= 1 and prediction.anomaly_map.shape == (150, 200)
assert "site-packages" in anomalyclip.__file__, anomalyclip.__file__
from anomalyclip.native import why_not
reason = why_not("fp32")
print("compiled kernels:", reason or "in use")
built = reason is None or reason.startswith("this processor")
assert built == WITH_KERNELS, reason
"""
DEAD_END = "http://127.0.0.1:9"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tag", help="the git tag that is to be released; must be v and the package's version")
    parser.add_argument("--dist", type=Path, default=ROOT / "dist", help="where the distributions go")
    given = parser.parse_args()
    if given.tag is not None:
        check_tag(given.tag)
    run([sys.executable, "-m", "anomalyclip.pretraining.graph", "--check"])
    with tempfile.TemporaryDirectory(prefix="anomalyclip-wheel-") as folder:
        wheels = build(Path(folder), given.dist)
        for wheel in wheels:
            check_contents(wheel)
        check_installed(wheels, Path(folder))
    print("The wheels are fine.")


def check_tag(tag: str) -> None:
    """The tag names the version in version.py, and the changelog has a section for it."""
    version = re.search(r'__version__ = "(.+)"', (ROOT / "src/anomalyclip/version.py").read_text())
    expect(version is not None and tag == f"v{version[1]}", f"tag {tag}, but version.py says {version and version[1]}")
    heading = f"## [{tag.removeprefix('v')}]"
    expect(heading in (ROOT / "CHANGELOG.md").read_text(), f"CHANGELOG.md has no section {heading}")


def build(folder: Path, dist: Path) -> list[Path]:
    """Build all, check metadata and size, keep them in `dist`; gives the wheels, the one with kernels first."""
    builder = [sys.executable, "-m", "build", "--outdir", str(folder)]
    run([*builder, str(ROOT)])
    if not list(folder.glob("*-none-any.whl")):
        run([*builder, "--wheel", str(ROOT)], env={**os.environ, "ANOMALYCLIP_KERNELS": "0"})
    wheels = sorted(folder.glob("*.whl"), key=is_pure)
    made = [*wheels, *folder.glob("*.tar.gz")]
    expect(len(made) == len(wheels) + 1, f"expected wheels and an sdist, found {[file.name for file in made]}")
    expect(
        sum(map(is_pure, wheels)) == 1, f"expected one wheel for any machine, found {[file.name for file in wheels]}"
    )
    run([sys.executable, "-m", "twine", "check", "--strict", *map(str, made)])
    for file in made:
        size = file.stat().st_size
        print(f"{file.name}: {size / 1e6:.1f} MB of {BUDGET / 1e6:.0f} MB")
        expect(size <= BUDGET, f"{file.name} has {size:,} bytes, the budget is {BUDGET:,}")
    dist.mkdir(exist_ok=True)
    return [kept for file in made if (kept := Path(shutil.copy(file, dist))).suffix == ".whl"]


def is_pure(wheel: Path) -> bool:
    return wheel.stem.endswith("-none-any")


def check_contents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    missing = [end for end in NEEDED if not any(name.endswith(end) for name in names)]
    expect(not missing, f"{wheel.name} lacks {missing}")
    libraries = [name for name in names if KERNELS.fullmatch(name)]
    expect(len(libraries) == (not is_pure(wheel)), f"{wheel.name} holds the libraries {libraries}")
    tag = wheel.stem.rpartition("-")[2]
    expect(not tag.startswith("linux"), f"package indexes refuse {wheel.name}: {tag} names no glibc")
    unwanted = [name for name in names if UNWANTED.search(name)]
    expect(not unwanted, f"{wheel.name} holds {unwanted[:5]}")
    print(f"{wheel.name}: {len(names)} files, nothing missing, nothing foreign")


def check_installed(wheels: Sequence[Path], folder: Path) -> None:
    """Install each wheel alone, then use it as a user would, in a folder without our sources."""
    home = folder / "venv"
    venv.create(home, with_pip=True)
    binaries = home / ("Scripts" if os.name == "nt" else "bin")
    python = str(binaries / "python")
    install = [python, "-m", "pip", "install", "--quiet", "-c", str(ROOT / "constraints.txt")]
    run([*install, str(wheels[0])])
    run([python, "-m", "pip", "check"])
    for wheel in wheels:
        run([*install, "--no-deps", "--force-reinstall", str(wheel)])
        work = folder / f"work-{wheel.stem}"
        work.mkdir()
        check_use(python, str(binaries / "anomalyclip"), work, with_kernels=not is_pure(wheel))


def check_use(python: str, command: str, work: Path, *, with_kernels: bool) -> None:
    """Python and the command line, without a network, in the empty folder `work`."""
    alone, environment = no_network(), offline_environment()
    smoke = f"WITH_KERNELS = {with_kernels}{SMOKE}"
    run([*alone, python, "-I", "-W", "error::DeprecationWarning:anomalyclip", "-c", smoke], cwd=work, env=environment)
    run([*alone, command, "--version"], cwd=work, env=environment)
    run([*alone, command, "detect", "part.png", "--output", "out", "--offline"], cwd=work, env=environment)
    watch = ["watch", ".", "--output", "watched", "--once", "--offline"]
    run([*alone, command, *watch], cwd=work, env=environment)
    for name in (
        "out/results.csv",
        "out/report.html",
        "out/overlays/part.png",
        "out/maps/part.tiff",
        "watched/results.csv",
    ):
        expect((work / name).is_file(), f"{name} was not written")


def no_network() -> list[str]:
    """A prefix that takes the network away, where this machine lets us (Linux as root)."""
    alone = ["unshare", "--net"]
    if shutil.which("unshare") and subprocess.run([*alone, "true"], capture_output=True, check=False).returncode == 0:
        return alone
    print("No network namespaces here: proxies that lead nowhere must do.")
    return []


def offline_environment() -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "ANOMALYCLIP"))}
    return {**kept, "http_proxy": DEAD_END, "https_proxy": DEAD_END, "no_proxy": "", "HF_HUB_OFFLINE": "1"}


def run(line: Sequence[str], cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    print("$", " ".join(part if "\n" not in part else "'...'" for part in line), flush=True)
    code = subprocess.run(line, cwd=cwd, env=env, check=False).returncode
    expect(code == 0, f"ended with code {code}: {line[0]}")


def expect(true: bool, otherwise: str) -> None:
    if not true:
        sys.exit(f"error: {otherwise}")


if __name__ == "__main__":
    main()
