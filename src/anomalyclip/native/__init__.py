"""Compiled kernels: C with the vector instructions of x86-64 and 64-bit ARM, built at installation, never required.

>>> from anomalyclip.native import why_not
>>> why_not("int8")   # doctest: +SKIP
"this processor has neither AVX2 with FMA nor ARM's dot products, which the kernels need: use another runtime here"
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.native.library import kernels, why_not

_HOME = {"kernels": "library", "why_not": "library"}

__all__ = ["kernels", "why_not"]

__getattr__, __dir__ = lazy(__name__, _HOME)
