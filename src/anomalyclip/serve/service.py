"""The work behind the routes: one model, its queue, and the threads around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from anomalyclip.calibration import Profile
from anomalyclip.detect.pipeline import Rules
from anomalyclip.detect.result import Provenance
from anomalyclip.io.reading import Reading
from anomalyclip.serve.admission import Admission
from anomalyclip.serve.batching import Batcher
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.metrics import Metrics
from anomalyclip.serve.profiles import Aim, Profiles, measure_uploads
from anomalyclip.serve.uploads import Upload
from anomalyclip.serve.work import Deciding, Decoded, Wishes, decode, failed_row, finish

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Map = npt.NDArray[np.float32]

T = TypeVar("T")


class Service:
    """Scores uploads. Create and use it on the event loop's thread; `close` finishes what was accepted.

    model: see `anomalyclip.detect.Detector`; only the batcher's thread runs its `predict`.
    draining: set by the server on SIGTERM. profiles: of files, see `Profiles`.
    """

    def __init__(self, model: Any, config: ServeConfig, profiles: Sequence[Profile] = ()) -> None:
        self.model, self.config = model, config
        self.draining = False
        self.profiles = Profiles(profiles, model.provenance(), config.limits.max_profiles)
        # Those with a memory judge by it; the encoder is the same one.
        self._judged = {one.name: one.judged(model) for one in profiles if one.memory is not None}
        if config.profile is not None:
            self.profiles.get(config.profile)
        self.metrics = Metrics()
        self.batcher = Batcher(
            model.predict,
            batch_size=config.batch_size,
            batch_wait=config.batch_wait,
            on_batch=self.metrics.on_batch,
        )
        self.admission = Admission(config.limits, lambda: self.batcher.seconds_per_image)
        self._readers = ThreadPoolExecutor(config.workers, thread_name_prefix="anomalyclip-read")
        self._writers = ThreadPoolExecutor(config.workers, thread_name_prefix="anomalyclip-write")
        self._calibrator = ThreadPoolExecutor(1, thread_name_prefix="anomalyclip-calibrate")
        self._describe()

    @property
    def ready(self) -> bool:
        return not self.draining and self.batcher.alive

    def provenance(self, deciding: Deciding) -> Provenance:
        """What the rows of a request record."""
        rules, profile = deciding.rules, deciding.profile
        return Provenance.of(
            self.judged(profile),
            threshold=rules.threshold,
            pixel_threshold=rules.pixel_threshold,
            min_area=rules.min_area,
            profile=None if profile is None else profile.name,
            **deciding.reading.recorded(),
        )

    async def detect(self, uploads: Sequence[Upload], deciding: Deciding, wishes: Wishes) -> list[dict[str, Any]]:
        """One row per upload, in order; an upload that fails has a row with the reason."""
        provenance = self.provenance(deciding)
        return await asyncio.gather(*(self._row(upload, deciding, wishes, provenance) for upload in uploads))

    async def calibrate(
        self, uploads: Sequence[Upload], name: str, aim: Aim, reading: Reading, *, append: bool
    ) -> dict[str, Any]:
        """Measure normal images and (re)make a profile; one calibration at a time. See `Profiles.calibrate`."""
        self.profiles.refuse_given(name)

        def run() -> dict[str, Any]:
            normals = measure_uploads(
                uploads,
                self.model,
                self.batcher,
                self.profiles.known(name, append=append),
                reading,
                batch_size=self.config.batch_size,
            )
            return self.profiles.calibrate(name, normals, aim, reading, append=append)

        return await self._in(self._calibrator, run)

    def judged(self, profile: Profile | None) -> Any:
        """The model, with the profile's memory if it has one."""
        return self.model if profile is None else self._judged.get(profile.name, self.model)

    async def score(self, upload: Upload, deciding: Deciding, preview: int | None = None) -> tuple[Decoded, float, Map]:
        """Decode one upload and give it its turn. Raises what reading or the model raises."""
        image = await self._in(self._readers, partial(decode, upload, self.model, deciding.reading, preview=preview))
        predicts = self._predicts(deciding.profile)
        score, small_map = await asyncio.wrap_future(self.batcher.submit(image.pixels, predicts))
        return image, score, small_map

    def _predicts(self, profile: Profile | None) -> Callable[..., Any] | None:
        judged = self.judged(profile)
        return None if judged is self.model else judged.predict

    def close(self) -> None:
        """Finish what was submitted; blocks."""
        self._calibrator.shutdown(wait=True)
        self._readers.shutdown(wait=True)
        self.batcher.close()
        self._writers.shutdown(wait=True)

    async def _row(self, upload: Upload, deciding: Deciding, wishes: Wishes, provenance: Provenance) -> dict[str, Any]:
        try:
            image, score, small_map = await self.score(upload, deciding, wishes.preview)
            work = partial(finish, upload, image, score, small_map, deciding, wishes, provenance)
            row = await self._in(self._writers, work)
        except Exception as error:  # every failure is this image's alone
            row = failed_row(upload, error, provenance)
        self.metrics.images.labels("failed" if row["error"] else "scored").inc()
        if row["decision"] is not None:
            self.metrics.decisions.labels(row["decision"]).inc()
        return row

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def _describe(self) -> None:
        given = self.provenance(Deciding(Rules()))
        version = str(given.settings.get("version", ""))
        self.metrics.model.info({"model": given.model, "prompts": given.prompts, "version": version})
        watch = self.metrics.watch
        watch("images_waiting", "Images accepted and not yet answered.", lambda: self.admission.images)
        watch("requests_in_flight", "Requests being worked on.", lambda: self.admission.requests)
        watch("body_bytes_in_flight", "Bytes of the bodies held.", lambda: self.admission.bytes)
        watch("ready", "1 where new requests are welcome.", lambda: float(self.ready))
