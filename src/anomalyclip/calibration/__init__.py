"""Calibration: from normal images to thresholds with a known false-positive rate, p-values and drift warnings.

>>> from anomalyclip.calibration import read_profile
>>> profile = read_profile("profile.json")  # doctest: +SKIP
>>> profile.decide(0.7), profile.p_value(0.7)  # doctest: +SKIP
('anomalous', 0.01)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from anomalyclip.lazy import lazy

if TYPE_CHECKING:
    from anomalyclip.calibration.conformal import conformal_threshold, images_needed, p_values, smallest_rate
    from anomalyclip.calibration.drift import DriftMonitor
    from anomalyclip.calibration.files import read_profile, read_profiles
    from anomalyclip.calibration.fitting import calibrate
    from anomalyclip.calibration.measured import Measured, measure
    from anomalyclip.calibration.operating import CostWish, RecallWish
    from anomalyclip.calibration.profile import Profile
    from anomalyclip.calibration.profile_parts import check_name
    from anomalyclip.calibration.provenance import provenance_of
    from anomalyclip.calibration.writing import write_profiles

_HOME = {
    "CostWish": "operating",
    "DriftMonitor": "drift",
    "Measured": "measured",
    "Profile": "profile",
    "RecallWish": "operating",
    "calibrate": "fitting",
    "check_name": "profile_parts",
    "conformal_threshold": "conformal",
    "images_needed": "conformal",
    "measure": "measured",
    "p_values": "conformal",
    "provenance_of": "provenance",
    "read_profile": "files",
    "read_profiles": "files",
    "smallest_rate": "conformal",
    "write_profiles": "writing",
}

__all__ = [
    "CostWish",
    "DriftMonitor",
    "Measured",
    "Profile",
    "RecallWish",
    "calibrate",
    "check_name",
    "conformal_threshold",
    "images_needed",
    "measure",
    "p_values",
    "provenance_of",
    "read_profile",
    "read_profiles",
    "smallest_rate",
    "write_profiles",
]

__getattr__, __dir__ = lazy(__name__, _HOME)
