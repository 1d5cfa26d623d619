"""Pixels in, features out: one face for whatever computes them, and what a judge can ask of it.

>>> from anomalyclip.encoders import FeatureRequest
>>> FeatureRequest(image=True) | FeatureRequest(patches=(4,), dpam="vv", dpam_blocks=3)
FeatureRequest(image=True, patches=(4,), dpam='vv', dpam_blocks=3)
"""

from __future__ import annotations

from anomalyclip.encoders.base import Encoder, EncoderFacts, Features, Stage
from anomalyclip.encoders.request import FeatureRequest

__all__ = ["Encoder", "EncoderFacts", "FeatureRequest", "Features", "Stage"]
