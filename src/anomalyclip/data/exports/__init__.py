"""Exports of labelling tools as truth: COCO, LabelMe, CVAT, Supervisely; what holds no pixels is named.

Everything in such files is untrusted: they are bounded, paths stay in the data set's folder, XML may declare nothing.
"""

from __future__ import annotations

from anomalyclip.data.exports.finding import find_annotations
from anomalyclip.data.exports.marks import Annotations

__all__ = ["Annotations", "find_annotations"]
