"""Which kinds of faults are in a batch: odd pictures grouped by what their hottest patches look like."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from anomalyclip.judges.memory.search import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.mutual.scoring import Verdicts

    Floats = NDArray[np.float32]

ODD = 0.5
"""Score from which a picture is odd where no threshold is given."""
FEWEST = 3
"""Pictures that make a group."""
FAR = 3.0
HOTTEST = 0.02
"""Share of a picture's patches that stand for its fault."""


def fault_feature(described: Floats, distances: Floats, share: float = HOTTEST) -> Floats:
    """A unit vector (D,) of a picture's fault: the mean of its hottest ``share`` of patches, weighted by distance.

    described: (N, D) unit vectors. distances: (N,), 0 or more.
    """
    count = max(1, round(share * len(distances)))
    hottest = np.argsort(-distances, kind="stable")[:count]
    weights = distances[hottest] + np.float32(1e-6)
    feature: Floats = unit((weights @ described[hottest])[None])[0]
    return feature


def group_features(features: Floats, fewest: int = FEWEST) -> NDArray[np.intp]:
    """(m,) groups of unit vectors (m, D) from 1, the largest first; 0 is alone.

    HDBSCAN (Campello, Moulavi and Sander, 2013): groups are dense places, whatever their number and size; what lies in
    none is alone. A single group is allowed, as an archive may hold one kind of fault. HDBSCAN counts stragglers to the
    group that they fell out of; those farther than :data:`FAR` times the group's median from its middle are alone here.
    Needs scikit-learn.
    """
    if len(features) < fewest:
        return np.zeros(len(features), np.intp)
    from sklearn.cluster import HDBSCAN  # type: ignore[import-untyped]

    found = HDBSCAN(min_cluster_size=fewest, min_samples=2, allow_single_cluster=True, copy=True).fit_predict(features)
    for label in set(found.tolist()) - {-1}:
        members = np.flatnonzero(found == label)
        away = np.linalg.norm(features[members] - np.median(features[members], axis=0), axis=1)
        found[members[away > FAR * np.median(away) + 1e-3]] = -1
    sizes = {label: int(np.sum(found == label)) for label in sorted(set(found.tolist()) - {-1})}
    numbers = {label: number for number, label in enumerate(sorted(sizes, key=lambda one: -sizes[one]), start=1)}
    return np.array([numbers.get(label, 0) for label in found.tolist()], np.intp)


def odd_groups(verdicts: Verdicts, line: float | None = None, fewest: int = FEWEST) -> Mapping[str, int]:
    """Group of every odd picture, by digest; ``line`` is the score from which it is odd, None is :data:`ODD`."""
    least = ODD if line is None else line
    odd = sorted(digest for digest, score in verdicts.scores.items() if score >= least)
    features = [fault_feature(verdicts.store.described(one), verdicts.distances[one]) for one in odd]
    groups = group_features(np.stack(features), fewest) if odd else np.empty(0, np.intp)
    return dict(zip(odd, groups.tolist(), strict=True))
