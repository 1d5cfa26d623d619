"""A decoder with a fault that no header shows: a picture of this size kills the process, wherever it is decoded."""

import os
import signal
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

SIZE = (97, 89)
_HOME = "anomalyclip.io.decoding"


class _Faulty(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name == _HOME else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                decode = module.decode

                def faulty(file, header):
                    if (header.width, header.height) == SIZE:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return decode(file, header)

                module.decode = faulty

            spec.loader.exec_module = exec_module
        return spec


import sys  # noqa: E402

sys.meta_path.insert(0, _Faulty())
