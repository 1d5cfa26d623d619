"""Features of a frozen encoder: what they are, how they are computed, and a verified cache of them on disk.

Training and evaluation share it: what one has encoded, the other need not encode again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.features.cache import FeatureCache
    from anomalyclip.features.encoding import Features, encode
    from anomalyclip.features.key import CacheKey

__all__ = ["CacheKey", "FeatureCache", "Features", "encode"]

_HOME = {"CacheKey": "key", "FeatureCache": "cache", "Features": "encoding", "encode": "encoding"}

__getattr__, __dir__ = lazy(__name__, _HOME)
