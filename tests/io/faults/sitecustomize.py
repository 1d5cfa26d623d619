"""A decoder with faults that no header shows, each for a picture of one size, wherever it is decoded."""

import os
import signal
import sys
import time
from importlib.abc import MetaPathFinder
from importlib.machinery import PathFinder

_HOME = "anomalyclip.io.decoding"
_FAULTS = {
    (97, 88): lambda: os.kill(os.getpid(), signal.SIGKILL),
    (97, 89): lambda: os.kill(os.getpid(), signal.SIGSEGV),
    (97, 90): lambda: all(True for _ in iter(int, 1)),  # for ever, on the CPU
    (97, 91): lambda: bytearray(1 << 30),
    (97, 92): lambda: time.sleep(3600),
    (97, 94): lambda: _compute(0.5),
    (97, 95): lambda: sum(range(1 << 50)),  # for ever, without coming back to Python
    (97, 93): lambda: os.write(1, b"chatter\n"),
}


def _compute(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


class _Faulty(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name == _HOME else None
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                decode = module.decode

                def faulty(file, header):
                    fault = _FAULTS.get((header.width, header.height))
                    if fault is not None:
                        fault()
                    return decode(file, header)

                module.decode = faulty

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, _Faulty())
