"""Compiled kernels: C for processors with AVX-512, built at installation where there is a compiler, never required.

>>> from anomalyclip.native import why_not
>>> why_not("vnni")   # doctest: +SKIP
'this processor has no AVX-512 VNNI, which the kernels need: use another runtime here'
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.native.library import kernels, why_not

_HOME = {"kernels": "library", "why_not": "library"}

__all__ = ["kernels", "why_not"]

__getattr__, __dir__ = lazy(__name__, _HOME)
