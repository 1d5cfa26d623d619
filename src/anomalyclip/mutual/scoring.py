"""From what was seen of a batch to the verdict of each picture."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.errors import InputError
from anomalyclip.judges.memory.fusion import Mixture, Scale, raw_maps
from anomalyclip.judges.mutual import SMALLEST_BATCH
from anomalyclip.judges.mutual_batch import BUDGET, PARTNERS, Compared, Places, compare
from anomalyclip.judges.mutual_fusion import (
    fused,
    joined_distances,
    looks_half_faulty,
    mixture_for,
    mutual_distances,
    scale_of,
)
from anomalyclip.judges.mutual_twins import twin_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from anomalyclip.judges.memory.line import Line
    from anomalyclip.mutual.store import BatchStore

    Floats = NDArray[np.float32]

_MAPS_FOR_SCALE = 300
DEPENDS = "scores compare the pictures of this batch: among others, the same picture scores differently"


@dataclass(frozen=True)
class Batch:
    """Which pictures a batch is of: digests of their pixels, one a picture, in any order."""

    digests: tuple[str, ...]

    @classmethod
    def of(cls, digests: Iterable[str]) -> Batch:
        return cls(tuple(sorted(digests)))

    @property
    def distinct(self) -> list[str]:
        """Each picture once."""
        return list(dict.fromkeys(self.digests))

    @property
    def sha256(self) -> str:
        """The same for the same pictures, in whatever order."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()

    def record(self) -> dict[str, Any]:
        """For the settings of every row."""
        return {"sha256": self.sha256, "pictures": len(self.digests), "note": DEPENDS}


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Scores and maps by digest. doubts: what a user should know of the batch, a sentence each.

    facts: "compared" (distinct pictures), "partners" (that each was compared with) and "many_kinds", for records.
    """

    scores: dict[str, float]
    distances: dict[str, Floats]
    map_scale: Scale
    store: BatchStore
    mixture: Mixture
    sigma: float
    facts: dict[str, Any]
    doubts: list[str] = field(default_factory=list)

    def anomaly_map(self, digest: str) -> Floats:
        """(H, W) in [0, 1] at the model's input."""
        raw = raw_map(self.store, digest, self.distances[digest], self.mixture, self.sigma)
        return np.asarray(self.map_scale(raw), np.float32)


def raw_map(store: BatchStore, digest: str, distances: Floats, mixture: Mixture, sigma: float) -> Floats:
    """Z^a D^b (H, W), see :class:`anomalyclip.judges.memory.fusion.Mixture`."""
    words = store.anomaly_map(digest)
    made: Floats = raw_maps(words[None], distances[None], store.shapes[digest].grid, sigma, mixture)[0]
    return made


@dataclass(frozen=True)
class Chosen:
    """Which pictures of a batch are compared: each once, and copies not at all.

    names: digests of the distinct ones. groups: (n,) the first that each is a copy of, its own number where it is none.
    """

    names: list[str]
    groups: NDArray[np.intp]

    @classmethod
    def of(cls, store: BatchStore, batch: Batch) -> Chosen:
        """Raises InputError for fewer than 5 different pictures."""
        names = batch.distinct
        groups = twin_groups(lambda picture: store.described(names[picture]), len(names))
        chosen = cls(names, groups)
        if len(chosen.kept) < SMALLEST_BATCH:
            raise InputError(
                f"mutual scoring compares pictures with each other and takes {SMALLEST_BATCH} that differ; here are "
                f"{len(chosen.kept)} of {len(batch.digests)}. Add pictures, or leave mutual scoring out"
            )
        return chosen

    @property
    def kept(self) -> list[str]:
        """Digests of those that are compared."""
        return [self.names[number] for number in np.flatnonzero(self.groups == np.arange(len(self.names))).tolist()]


def places_of(store: BatchStore, names: Sequence[str], aligned: int | None) -> Places | None:
    """Where patches are looked for; None is everywhere."""
    return None if aligned is None else Places([store.shapes[name].grid for name in names], aligned)


def score_batch(
    store: BatchStore,
    batch: Batch,
    *,
    line: Line | None = None,
    sigma: float = 4.0,
    partners: int = PARTNERS,
    budget: int = BUDGET,
    aligned: int | None = None,
    threads: int | None = None,
    advance: Callable[[int], object] = lambda pairs: None,
) -> Verdicts:
    """Compare the pictures of a batch that were all seen.

    Args:
        line: what a profile remembers; joins the batch's distances. sigma: pixels, smooths distances in maps.
        partners, budget, threads: see :func:`anomalyclip.judges.mutual_batch.compare`.
        aligned: compare with patches at most so far from the same place; None is anywhere.

    Raises:
        InputError: fewer than 5 different pictures.
    """
    chosen = Chosen.of(store, batch)
    kept = chosen.kept
    compared = compare(
        lambda picture: store.described(kept[picture]),
        [store.shapes[name].patches for name in kept],
        partners=partners,
        budget=budget,
        scratch=store.folder,
        places=places_of(store, kept, aligned),
        threads=threads,
        advance=advance,
    )
    return verdicts_of(store, batch, chosen, compared, line=line, sigma=sigma, aligned=aligned)


def verdicts_of(
    store: BatchStore,
    batch: Batch,
    chosen: Chosen,
    compared: Compared,
    *,
    line: Line | None,
    sigma: float,
    aligned: int | None = None,
) -> Verdicts:
    """What the distances between the pictures come to."""
    names, kept = chosen.names, chosen.kept
    found, many = mutual_distances(compared)
    of_name = dict(zip(kept, found, strict=True))
    distances = [of_name[names[group]] for group in chosen.groups.tolist()]
    seen = [store.brief(name) for name in names]
    if line is not None:
        level = float(np.median([np.median(one) for one in distances]))
        near_level = float(np.median([np.median(one.near) for one in seen if one.near is not None]))
        mapped = [
            joined_distances(one, level, brief.near, near_level) for one, brief in zip(distances, seen, strict=True)
        ]
    else:
        mapped = distances
    mixture = mixture_for(distances, seen, many) if line is None else line.mixture
    scores, raw = fused(distances, seen, line, mixture)
    told: dict[str, Any] = {"compared": len(kept), "partners": compared.partners, "many_kinds": many}
    if aligned is not None:
        told["aligned"] = aligned
    by_name = dict(zip(names, mapped, strict=True))
    map_scale = _map_scale(store, by_name, mixture, sigma) if line is None else line.map_scale
    doubts = _doubts(batch, len(kept), raw, np.array([one.score for one in seen]), many)
    by_score = dict(zip(names, scores.tolist(), strict=True))
    return Verdicts(by_score, by_name, map_scale, store, mixture, sigma, told, doubts)


def _map_scale(store: BatchStore, distances: dict[str, Floats], mixture: Mixture, sigma: float) -> Scale:
    """0.1 at the median pixel, 0.5 where the scale of the pictures' peaks has it."""
    names = list(distances)[:: max(1, -(-len(distances) // _MAPS_FOR_SCALE))]
    found = []
    for name in names:  # one by one: 300 maps take 120 MB
        made = raw_map(store, name, distances[name], mixture, sigma)
        found.append((float(np.median(made)), float(made.max())))
    typical, peaks = np.array(found).T
    return Scale(float(np.median(typical)), scale_of(peaks).line)


def _doubts(batch: Batch, kept: int, raw: NDArray[np.float64], words: NDArray[np.float64], many: bool) -> list[str]:
    found = []
    if looks_half_faulty(raw, words):
        found.append(
            "this batch looks as if a third of it or more were faulty: what is frequent counts as normal, so its order "
            "can be wrong. Judge it by good pictures (anomalyclip calibrate), or without --mutual"
        )
    if many:
        found.append(
            "this batch looks as if it showed many kinds of things: each picture is compared with itself, too, and "
            "faults that cover a whole picture are lost. One kind a folder is better"
        )
    if copies := len(batch.digests) - kept:
        repeated = Counter(batch.digests)
        exact = sum(count - 1 for count in repeated.values())
        found.append(f"{copies:,} pictures are copies of others ({exact:,} to the pixel) and count once")
    return found
