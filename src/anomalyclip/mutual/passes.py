"""The two passes as detectors: one that looks and keeps, one that gives the verdicts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from anomalyclip.detector import Detector
from anomalyclip.errors import ConfigError, InputError
from anomalyclip.judges.memory.line import LineJudge
from anomalyclip.judges.memory.seeing import see
from anomalyclip.judges.memory.source import source_for
from anomalyclip.judges.verdicts import Verdicts as Given
from anomalyclip.mutual.scoring import Batch, Verdicts, score_batch
from anomalyclip.mutual.store import BatchStore, Shape, pixels_digest
from anomalyclip.scoring_arrays import with_map_peak

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from anomalyclip.encoders.base import Array
    from anomalyclip.geometry import Geometry
    from anomalyclip.judges.base import Judge

    Floats = NDArray[np.float32]


class _Pass(Detector):
    """A detector of whole pictures: tiles of one picture are not compared with each other."""

    ahead = False  # its `predict` is its own

    def check(self, geometry: Geometry) -> None:
        """Raises ConfigError for tiles and scales too."""
        from anomalyclip.combining import Combination, check

        super().check(geometry)
        check(Combination(whole_batch=True, geometry=geometry))


class FirstPass(_Pass):
    """Looks at pictures and keeps what is seen of them; its scores are the words' own.

    Args:
        model: with any judge of single pictures; one with a line's memory joins it.
        folder: a folder of its own; records of a killed run that lie there are taken.

    Attributes:
        seen: digest -> how many pictures of it came.

    Raises:
        ConfigError: the encoder gives no features to compare.
    """

    def __init__(self, model: Detector, folder: Path) -> None:
        super().__init__(model.encoder, model.judge, model.settings)
        judge: Judge = model.judge
        self.line = judge.line if isinstance(judge, LineJudge) else None
        self.words = judge.words if isinstance(judge, LineJudge) else judge
        self.source = source_for(model.encoder.facts) if self.line is None else self.line.source
        if judge.whole_batch:
            raise ConfigError(f"{judge.method} judges whole batches already; leave mutual scoring out")
        if (refusal := self.encoder.offers(self.request | self.source.request)) is not None:
            raise ConfigError(f"mutual scoring compares patches by {self.source.kind}: {refusal}")
        told = json.dumps([model.provenance(), self.source.record()], sort_keys=True, default=str)
        self.store = BatchStore(folder, hashlib.sha256(told.encode()).hexdigest())
        self.seen: Counter[str] = Counter()
        self._width: int | None = None

    def predict(self, pixels: Array) -> tuple[Floats, Floats]:
        """Scores (B,) and maps (B, H, W) of the words; what is seen lies in the store afterwards."""
        digests = [pixels_digest(one) for one in pixels]
        fresh = [index for index, digest in enumerate(digests) if not self._kept(digest, pixels)]
        if fresh:
            chosen = pixels if len(fresh) == len(digests) else np.stack([pixels[index] for index in fresh])
            self._keep([digests[index] for index in fresh], chosen)
        self.seen.update(digests)
        scores = np.array([self.store.brief(digest).score for digest in digests], np.float32)
        return scores, np.stack([self.store.anomaly_map(digest) for digest in digests])

    @property
    def batch(self) -> Batch:
        """Of the pictures that came."""
        return Batch.of(self.seen.elements())

    def _kept(self, digest: str, pixels: Array) -> bool:
        if digest in self.store.shapes:
            return True
        if self._width is None:
            return False
        size, patch = (int(pixels.shape[-2]), int(pixels.shape[-1])), self.encoder.facts.patch_size
        return self.store.has(
            digest, Shape((size[0] // patch, size[1] // patch), self._width, size, self.line is not None)
        )

    def _keep(self, digests: list[str], pixels: Array) -> None:
        seen = see(self.encoder, self.words, self.source, pixels)
        wholes = np.array([one.whole for one in seen], np.float32)
        scores = with_map_peak(wholes, np.stack([one.anomaly_map for one in seen]), *self.words.peak)
        for digest, one, score in zip(digests, seen, scores, strict=True):
            if not (np.isfinite(one.described).all() and np.isfinite(one.anomaly_map).all() and np.isfinite(score)):
                raise InputError("the model gave values that are not numbers")
            near = None if self.line is None else self.line.bank.distances(one.described)[0]
            self._width = one.described.shape[1]
            self.store.put(digest, one, float(score), near)


class SecondPass(_Pass):
    """Gives each picture of a batch the verdict that the batch came to, see :func:`compared`."""

    def __init__(self, first: FirstPass, batch: Batch, verdicts: Verdicts) -> None:
        super().__init__(first.encoder, first.judge, first.settings)
        self.batch, self.verdicts = batch, verdicts

    @property
    def method(self) -> str:
        """The judge's, and the batch."""
        return f"{self.judge.method}+mutual"

    @property
    def peak(self) -> tuple[float, float]:
        """None: a batch's score has no part of the map's peak to mend for an area."""
        return (0.0, 0.0)

    def predict(self, pixels: Array) -> tuple[Floats, Floats]:
        """Scores (B,) and maps (B, H, W). Raises InputError for a picture that was not in the batch."""
        digests = [pixels_digest(one) for one in pixels]
        if any(digest not in self.verdicts.scores for digest in digests):
            raise InputError("it changed since the batch was compared; run again")
        scores = np.array([self.verdicts.scores[digest] for digest in digests], np.float32)
        maps = np.stack([self.verdicts.anomaly_map(digest) for digest in digests])
        return Given(scores, maps, digests=digests)

    def provenance(self) -> dict[str, Any]:
        """The model's, with the batch among the settings."""
        told = super().provenance()
        batch = self.batch.record() | self.verdicts.facts
        return told | {"method": self.method, "settings": {**told["settings"], "batch": batch}}


def compared(
    first: FirstPass,
    *,
    partners: int,
    budget: int,
    aligned: int | None = None,
    threads: int | None = None,
    advance: Callable[[int], object] = lambda pairs: None,
) -> SecondPass:
    """Compare what a first pass saw. Arguments as of :func:`anomalyclip.mutual.scoring.score_batch`.

    Raises InputError where the batch is too small.
    """
    batch = first.batch
    verdicts = score_batch(
        first.store,
        batch,
        line=first.line,
        sigma=first.settings.sigma,
        partners=partners,
        budget=budget,
        aligned=aligned,
        threads=threads,
        advance=advance,
    )
    return SecondPass(first, batch, verdicts)
