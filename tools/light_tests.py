"""Install the package as a user without PyTorch has it, on other Pythons, and run the main job's tests there.

    python tools/light_tests.py --other            # one Python that is not this one; says so where there is none
    python tools/light_tests.py 3.10 3.12 3.13     # these
    python tools/light_tests.py 3.10 --lowest      # with the oldest versions that pyproject.toml allows

Interpreters are looked for as `python3.X` on the path and among pyenv's. Every one gets an environment of its own under
`--folder`, which is kept: later runs replace only the package.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = ("3.10", "3.11", "3.12", "3.13")
BUDGET = 400 * 10**6
"""Bytes that `pip install anomalyclip` may take, without pip itself."""
HEAVY = "torch"
LIGHT = ("serve", "medical")
"""Extras whose floors count as well; those of the tests' own tools do not."""
SIZE = """
import importlib.metadata as m, re, sys
from pathlib import Path

def needed(name, seen):
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name in seen:
        return
    try:
        found = m.distribution(name)
    except m.PackageNotFoundError:
        return
    seen[name] = sum(Path(file.locate()).stat().st_size for file in found.files or () if Path(file.locate()).is_file())
    for line in found.requires or ():
        if "extra ==" not in line:
            needed(re.match(r"[A-Za-z0-9._-]+", line)[0], seen)

sizes = {}
needed("anomalyclip", sizes)
for name, size in sorted(sizes.items(), key=lambda item: -item[1])[:6]:
    print(f"  {size / 1e6:7.1f} MB  {name}", file=sys.stderr)
print(sum(sizes.values()))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("versions", nargs="*", help=f"of Python, from {', '.join(SUPPORTED)}")
    parser.add_argument("--other", action="store_true", help="one version that is not this one's")
    parser.add_argument("--folder", type=Path, default=ROOT / ".light", help="where the environments are kept")
    parser.add_argument("--tests", default="tests/light", help="what pytest runs")
    parser.add_argument("--lowest", action="store_true", help="install the oldest versions that are allowed")
    given = parser.parse_args()
    interpreters = {version: found for version in SUPPORTED if (found := interpreter(version)) is not None}
    wanted = given.versions or list(interpreters)
    if given.other:
        own = f"{sys.version_info.major}.{sys.version_info.minor}"
        wanted = [version for version in interpreters if version != own][:1]
        if not wanted:
            print(f"SKIPPED: no Python of {', '.join(SUPPORTED)} beside {own} here; the light tests did not run")
            return
    if missing := [version for version in wanted if version not in interpreters]:
        sys.exit(f"error: no Python {', '.join(missing)} here; found {', '.join(interpreters) or 'none'}")
    with tempfile.TemporaryDirectory(prefix="anomalyclip-light-") as folder:
        wheel = build(interpreters[wanted[0]], Path(folder))
        for version in wanted:
            home = given.folder / (f"{version}-lowest" if given.lowest else version)
            bounds = Path(folder) / "lowest.txt" if given.lowest else ROOT / "constraints.txt"
            if given.lowest:
                bounds.write_text("\n".join(lowest(wheel)) + "\n", "utf-8")
            check(interpreters[version], wheel, home, given.tests, bounds)


def interpreter(version: str) -> str | None:
    """A Python of that version that starts; pyenv's shims are no proof that there is one."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for candidate in (shutil.which(f"python{version}"), *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)):
        if candidate is None:
            continue
        told = subprocess.run(
            [str(candidate), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        if told.stdout.strip() == version:
            return str(candidate)
    return None


def build(python: str, folder: Path) -> Path:
    """The wheel for any machine, from this source."""
    environment = {**os.environ, "ANOMALYCLIP_KERNELS": "0"}
    run([python, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(folder), str(ROOT)], env=environment)
    return next(folder.glob("*.whl"))


def lowest(wheel: Path) -> list[str]:
    """`name==floor.* ; marker` of every floor that the light install's own requirements state."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    found = {}
    for line in lines:
        asked = re.fullmatch(r"Requires-Dist: ([\w.-]+)(?:\[[^]]*\])?([^;]*?)>=([\w.]+)([^;]*)(?:;(.*))?", line)
        if asked is None:
            continue
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", asked[5] or "")
        if extra is None or extra[1] in LIGHT:
            marker = re.sub(r"(^|\s*and\s*)extra == ['\"][\w-]+['\"]", "", (asked[5] or "").strip())
            found[asked[1], marker] = f"{asked[1]}=={asked[3]}.*" + (f" ; {marker}" if marker else "")
    return list(found.values())


def check(python: str, wheel: Path, home: Path, tests: str, bounds: Path) -> None:
    """Install, weigh and test on one Python. bounds: pip's constraints."""
    binary = home / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not binary.exists():
        run([python, "-m", "venv", str(home)])
    install = [str(binary), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*install, "-c", str(bounds), f"{wheel}[test-light]"])
    run([*install, "--no-deps", "--force-reinstall", str(wheel)])
    heavy = subprocess.run([str(binary), "-c", f"import {HEAVY}"], capture_output=True, check=False)
    if heavy.returncode == 0:
        sys.exit(f"error: {HEAVY} is installed in {home}; the light install must not need it")
    size = int(subprocess.run([str(binary), "-c", SIZE], stdout=subprocess.PIPE, text=True, check=True).stdout)
    print(f"light install on {python}: {size / 1e6:.0f} MB of {BUDGET / 1e6:.0f} MB", flush=True)
    if size > BUDGET:
        sys.exit("error: the light install is larger than its budget")
    start = time.monotonic()
    run([str(binary), "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(ROOT), tests], env=clean(), cwd=ROOT)
    print(f"light tests on {python}: {time.monotonic() - start:.0f} s", flush=True)


def clean() -> dict[str, str]:
    """Without what leads to another copy of the package."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


def run(line: Sequence[str], **options: object) -> None:
    print("$", *line, flush=True)
    code = subprocess.run(line, check=False, **options).returncode  # type: ignore[call-overload]
    if code != 0:
        sys.exit(f"error: ended with code {code}: {' '.join(line[:4])}")


if __name__ == "__main__":
    main()
