"""What this installation is and can do, as plain facts; without torch, and whatever part of it is broken."""

from __future__ import annotations

import getpass
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from anomalyclip.cli._waiting import set_here
from anomalyclip.hub.cache import usual_home
from anomalyclip.version import __version__

#: Extras that a user chooses among -> what they are for.
EXTRAS = {
    "torch": "other models, prompts and baselines; training",
    "train": "training, and plots of evaluate",
    "serve": "the server and its page",
    "openvino": "OpenVINO: faster on Intel processors, int8",
    "onnx": "writing ONNX exports",
    "ray": "archives on a cluster",
    "medical": "DICOM and NIfTI",
    "heif": "HEIC photographs",
    "mqtt": "telling a broker",
    "gate": "reject gates by Modbus and OPC UA",
    "bench": "bench, and the tests of compare",
    "prometheus": "metrics of watch",
    "mlflow": "evaluations in MLflow",
    "fiftyone": "results in FiftyOne",
    "supervision": "regions as supervision's detections",
    "groups": "what is odd in a folder, in groups",
    "demo": "the pictures of the example",
}
_CORE = ("onnxruntime", "numpy", "pillow", "opencv-python-headless", "safetensors", "click", "rich", "pydantic")
_OWN = "anomalyclip"
_TOLD_VARIABLES = re.compile(r"(OMP|MKL|OPENBLAS|CUDA|KMP)_[A-Z_]+|ANOMALYCLIP_(HOME|OFFLINE|KERNELS)")
_NAMED_VARIABLES = re.compile(r"ANOMALYCLIP_[A-Z_]+")  # keys, passwords and addresses: that they are set, and no more
_SIDE = 320  # pixels of the picture that is tried

Facts = dict[str, Any]


def diagnose() -> Facts:
    """All facts, by section; JSON-ready. A part that fails is told as text, never raised."""
    return {
        "anomalyclip": __version__,
        "machine": _told(_machine),
        "packages": _told(_packages),
        "runtimes": _told(_runtimes),
        "cache": _told(_cache),
        "environment": _environment(),
        "check": _told(_check),
        "missing": _told(missing_extras),
    }


def _told(find: Callable[[], Any]) -> Any:
    try:
        return find()
    except Exception as error:  # whatever is broken here is what the user wants to know
        return f"failed: {type(error).__name__}: {' '.join(str(error).split())}"


def _environment() -> Facts:
    """Variables that change what happens here; what may be a secret is told to be set."""
    named = {name: "set (not shown)" for name in os.environ if _NAMED_VARIABLES.fullmatch(name)}
    told = {name: value for name, value in os.environ.items() if _TOLD_VARIABLES.fullmatch(name)}
    return named | {name: value for name, value in told.items() if name not in set_here()}


def _machine() -> Facts:
    return {
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gb": _memory(),
        "gpu": _gpus() or "none that nvidia-smi shows",
    }


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> float | None:
    with suppress(ValueError, OSError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)
    return None


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    asked = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    with suppress(OSError, subprocess.SubprocessError):
        ran = subprocess.run(asked, capture_output=True, text=True, timeout=10, check=True)
        return [line.strip() for line in ran.stdout.splitlines() if line.strip()]
    return []


def _packages() -> Facts:
    names = dict.fromkeys([*_CORE, *(name for extra in EXTRAS for name in _required(extra))])
    return {name: _version(name) for name in names}


def _version(name: str) -> str | None:
    with suppress(metadata.PackageNotFoundError):
        return metadata.version(name)
    return None


def _required(extra: str) -> Iterator[str]:
    """Distributions that an extra brings, those of the extras it names included."""
    for line in metadata.requires(_OWN) or ():
        found = re.fullmatch(r"([A-Za-z0-9._-]+)(\[[^\]]*\])?[^;]*;(.*)", line)
        if found is None or not re.search(rf"extra\s*==\s*['\"]{extra}['\"]", found[3]):
            continue
        if found[1] != _OWN:
            yield found[1].lower()
            continue
        for other in (found[2] or "").strip("[]").split(","):
            yield from _required(other.strip())


def missing_extras() -> Facts:
    """Extra -> what it is for, which packages lack, and the line that brings them."""
    found = {}
    for extra, use in EXTRAS.items():
        lacking = [name for name in dict.fromkeys(_required(extra)) if _version(name) is None]
        if lacking:
            found[extra] = {"for": use, "lacks": lacking, "install": f"pip install 'anomalyclip[{extra}]'"}
    return found


def _runtimes() -> Facts:
    return {name: _told(find) for name, find in _RUNTIMES.items()}


def _onnxruntime() -> str:
    import onnxruntime

    return f"{onnxruntime.__version__}, {', '.join(onnxruntime.get_available_providers())}"


def _torch() -> str:
    if _version("torch") is None:
        return "not installed"
    import torch

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    threads = torch.get_num_threads()
    return f"{torch.__version__}, {threads} thread{'s' * (threads != 1)}, {', '.join(devices) or 'no GPU'}"


def _openvino() -> str:
    if _version("openvino") is None:
        return "not installed"
    import openvino

    return f"{openvino.get_version()}, {', '.join(openvino.Core().available_devices)}"


def _native() -> str:
    from anomalyclip.native.library import kernels, why_not

    if (reason := why_not("fp32")) is not None:
        return f"no: {reason}"
    int8 = f"int8 with {kernels('int8').suffix}" if why_not("int8") is None else "no int8"
    return f"kernels in fp32 with {kernels('fp32').suffix}, {int8}"


_RUNTIMES: dict[str, Callable[[], str]] = {
    "onnxruntime": _onnxruntime,
    "torch": _torch,
    "openvino": _openvino,
    "native": _native,
}


def _cache() -> Facts:
    from anomalyclip.hub.cache import home

    folder = home()
    present = folder.is_dir()
    files = [path for path in folder.rglob("*") if path.is_file()] if present else []
    near = next(place for place in (folder, *folder.parents) if place.exists())
    return {
        "folder": str(folder),
        "writable": os.access(near, os.W_OK),
        "holds_mb": round(sum(path.stat().st_size for path in files) / 1e6, 1),
        "models": sorted({path.parent.name for path in files if path.suffix in (".pt", ".safetensors", ".pth")}),
        "free_gb": round(shutil.disk_usage(near).free / 1e9, 1),
    }


def _check() -> Facts:
    """The main job on one picture: does it work, and how long does it take?"""
    import numpy as np

    import anomalyclip

    started = time.perf_counter()
    model = anomalyclip.load("pocket", offline=True)
    loaded = time.perf_counter()
    found = model.detect(np.full((_SIDE, _SIDE, 3), 128, np.uint8))
    ended = time.perf_counter()
    return {
        "works": bool(0 <= found.score <= 1 and np.isfinite(found.anomaly_map).all()),
        "runtime": model.runtime,
        "load_s": round(loaded - started, 2),
        "detect_s": round(ended - loaded, 2),
    }


def works(facts: Facts) -> bool:
    """Whether the main job does."""
    return isinstance(facts["check"], dict) and bool(facts["check"]["works"])


def scrubbed(value: Any) -> Any:
    """The same facts without what tells who and where: folders, the user's and the machine's name."""
    if isinstance(value, dict):
        return {key: scrubbed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [scrubbed(one) for one in value]
    return _scrub(value) if isinstance(value, str) else value


def _scrub(text: str) -> str:
    if text == str(usual_home()):
        return "<the usual place>"
    if PurePosixPath(text).is_absolute() or PureWindowsPath(text).is_absolute():
        return "<path>"  # all of it: folders may have blanks in their names
    text = text.replace(sys.prefix, "<python>")
    # Paths within sentences: POSIX, Windows, and network shares; then who logs in at an address.
    text = re.sub(
        r"(?<![\w.:/>])~?(?:/[^\s/'\",;:()]+)+/?|(?<![A-Za-z])[A-Za-z]:[\\/][^\s'\",;]+|\\\\[^\s'\",;]+",
        "<path>",
        text,
    )
    text = re.sub(r"//[^\s/@]+@", "//<login>@", text)
    for name, word in ((_user(), "<user>"), (socket.gethostname(), "<host>")):
        if len(name) > 2:
            text = re.sub(rf"\b{re.escape(name)}\b", word, text)
    return text


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no such user, as in a container
        return ""
