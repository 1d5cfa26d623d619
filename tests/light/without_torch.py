"""`python without_torch.py detect ...` runs the command as where PyTorch was never installed: importing it raises.

With `-c CODE` in place of a verb, CODE runs so.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from types import ModuleType

#: what the light install lacks; onnx and its kin write exports, which needs torch as well
MISSING = frozenset({"torch", "tokenizers", "lightning", "onnx", "onnxscript", "openvino", "nncf", "transformers"})


class Absent(MetaPathFinder):
    """Raises as the import system does for what is not there, to whoever asks."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if fullname.partition(".")[0] in MISSING:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)


def main() -> None:
    sys.meta_path.insert(0, Absent())
    if sys.argv[1] == "-c":
        code = sys.argv[2]
        sys.argv[:] = sys.argv[2:]
        exec(compile(code, "<test>", "exec"), {"__name__": "__main__"})
        return
    from anomalyclip.cli import main as command

    command(sys.argv[1:])


if __name__ == "__main__":
    main()
