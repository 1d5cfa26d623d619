"""The work behind the routes: one model, its queue, and the threads around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from anomalyclip.calibration import Profile
from anomalyclip.detect.pipeline import Rules
from anomalyclip.detect.result import Provenance
from anomalyclip.errors import AnomalyClipError, ImageReadError
from anomalyclip.geometry import Geometry, plan_views
from anomalyclip.io.isolation import Ticket
from anomalyclip.io.reading import Reading
from anomalyclip.judges.memory.comparing import Looked
from anomalyclip.serve.admission import Admission, Stay
from anomalyclip.serve.batching import Batcher
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.decoding import Decoding
from anomalyclip.serve.judged import Judged
from anomalyclip.serve.keeping import Keeper
from anomalyclip.serve.laying import lay_out
from anomalyclip.serve.live import Live
from anomalyclip.serve.made import Aim
from anomalyclip.serve.measuring import Measuring
from anomalyclip.serve.memory import Share
from anomalyclip.serve.metrics import Metrics
from anomalyclip.serve.profiles import Profiles
from anomalyclip.serve.refusals import Refused
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
        self.decoding = Decoding(config)
        room = self.decoding.room_of_profiles
        self.keeper = None if config.keep is None else Keeper(config.keep)
        self.profiles = Profiles(profiles, model.provenance(), config.limits.max_profiles, room, self.keeper)
        self._judged = {one.name: Judged(one, model) for one in self.profiles.all() if one.memory is not None}
        if config.profile is not None:
            self.profiles.get(config.profile)
        self.metrics = Metrics()
        self.batcher = Batcher(
            model.predict,
            batch_size=config.batch_size,
            batch_wait=config.batch_wait,
            on_batch=self.metrics.on_batch,
        )
        self.live = None if config.live is None else Live(config.live, lambda: self.draining)
        self.admission = Admission(config.limits, lambda: self.batcher.seconds_per_image)
        self._cutters = ThreadPoolExecutor(config.workers, thread_name_prefix="anomalyclip-cut")
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
            **deciding.geometry.settings(),
            **deciding.areas.settings(),
        )

    async def pictures(self, files: Sequence[Upload], reading: Reading, frames: int | None, stay: Stay) -> list[Upload]:
        """Every picture of every file, each with what it costs, as far as one request takes. Raises Refused (429)."""
        ticket, most = Ticket(), self.config.limits.max_files
        with self.decoding.ending(ticket):
            return await self.decoding.pictures(ticket, reading, files, most, frames, stay)

    async def detect(
        self, uploads: Sequence[Upload], deciding: Deciding, wishes: Wishes, stay: Stay
    ) -> list[dict[str, Any]]:
        """One row per upload, in order; an upload that fails has a row with the reason. Raises Refused (429)."""
        stay.need(len(uploads))
        provenance = self.provenance(deciding)
        tasks = [asyncio.ensure_future(self._row(one, deciding, wishes, provenance, stay)) for one in uploads]
        try:
            rows = await asyncio.gather(*tasks)
        finally:  # of one that was refused, the others end, too
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return [self._settled(*each, deciding.reading, provenance) for each in zip(uploads, rows, strict=True)]

    async def calibrate(
        self,
        uploads: Sequence[Upload],
        name: str,
        aim: Aim,
        reading: Reading,
        stay: Stay,
        *,
        append: bool,
        revision: int | None,
    ) -> dict[str, Any]:
        """Measure normal images and (re)make a profile; one calibration at a time. See `Profiles.calibrate`.

        revision: the one that the client has seen, None where it does not care.
        """
        self.profiles.refuse_given(name)
        self.profiles.refuse_more(name)
        ticket = Ticket()
        read = partial(self.decoding.read, ticket, reading, most=self.decoding.ledger.most // 2)
        measuring = Measuring(self.model, self.batcher, self.config.batch_size, reading, read)
        refusal = measuring.refusal() if aim.memory else None
        notes = [] if refusal is None else [f"no memory, thresholds alone: {refusal}"]
        aim = aim if refusal is None else replace(aim, memory=False)

        def run() -> dict[str, Any]:
            self.profiles.check_revision(name, revision)
            taken = self.profiles.taken(name, append=append)
            if taken is not None and taken.reading != reading:
                raise Refused("conflict", f"the images of {name!r} so far were read with another axis or full_scale")
            if taken is None or (taken.growing is None) is aim.memory:
                taken = measuring.begin(aim.memory)
            skipped = measuring.take(taken, uploads)
            if ticket.cancelled:  # nobody waits for it, and it may lack pictures
                raise ImageReadError("the request has ended")
            return self.profiles.calibrate(name, taken, aim, skipped, notes)

        with self.decoding.ending(ticket), stay.aside():
            # One is read while another is looked at.
            largest = max(upload.cost for upload in uploads)
            async with self.decoding.ledger.hold(min(self.decoding.ledger.most, 2 * largest)):
                return await self.one_by_one(run)

    async def put(self, profiles: Sequence[Profile], revision: int | None = None) -> list[dict[str, Any]]:
        """Take profiles that a client saved before; see `Profiles.put`. revision: of each that it has seen."""

        def run() -> None:
            for one in profiles:
                self.profiles.check_revision(one.name, revision)
                if one.memory is not None and not one.holds_memory:  # no file of ours is read for it
                    raise Refused(
                        "invalid",
                        f"{one.name!r} comes without its memory, which lies in the file beside it: start the server "
                        "with --profile and this file, or bring one that a page saved",
                    )
            try:
                judged = {one.name: Judged(one, self.model) for one in profiles if one.memory is not None}
            except AnomalyClipError as error:
                raise Refused("invalid", str(error)) from error
            self.profiles.put(profiles)
            self._judged |= judged

        await self.one_by_one(run)
        names = {one.name for one in profiles}
        return [one for one in self.profiles.summaries() if one["name"] in names]

    def judged(self, profile: Profile | None) -> Any:
        """The model, with the profile's memory if it has one."""
        found = self._with_memory(profile)
        return self.model if found is None else found.model

    def _with_memory(self, profile: Profile | None) -> Judged | None:
        """One a profile, made when it is first used; another profile of the same name takes its place."""
        if profile is None or profile.memory is None:
            return None
        known = self._judged.get(profile.name)
        if known is None or known.profile is not profile:
            known = self._judged[profile.name] = Judged(profile, self.model)
        return known

    def picture(self, name: str, number: int) -> bytes:
        """A JPEG of a good picture that a profile remembers. Raises Refused (404)."""
        found = self._with_memory(self.profiles.get(name))
        thumbnails = [] if found is None else found.thumbnails
        if not 0 <= number < len(thumbnails):
            raise Refused("not_found", f"the profile {name!r} shows {len(thumbnails)} pictures, numbered from 0")
        return thumbnails[number]

    async def score(
        self, upload: Upload, deciding: Deciding, stay: Stay, share: Share, preview: int | None = None
    ) -> tuple[Decoded, float, Map, list[Looked]]:
        """Decode one upload and give it its turn; with what its patches were compared with, where a memory judges.

        Raises what reading or the model raises.
        """
        if not deciding.plain:
            return await self._survey(upload, deciding, stay, share, preview)
        ticket = Ticket()
        with self.decoding.ending(ticket):
            work = partial(decode, upload, self.model, preview=preview)
            image = await self.decoding.with_picture(ticket, deciding.reading.apart(), upload, stay, share, work)
        assert image.pixels is not None, "only laid-out images have none"
        judged = self._with_memory(deciding.profile)
        if judged is None:
            score, small_map = await asyncio.wrap_future(self.batcher.submit(image.pixels))
            return image, score, small_map, []
        score, small_map, nearest = await asyncio.wrap_future(self.batcher.submit(image.pixels, judged.look))
        whole = plan_views((image.width, image.height), Geometry())[0]
        return image, score, small_map, [] if nearest is None else [Looked(whole, nearest)]

    async def _survey(
        self, upload: Upload, deciding: Deciding, stay: Stay, share: Share, preview: int | None
    ) -> tuple[Decoded, float, Map, list[Looked]]:
        """One image view by view, a few at a time: each view waits in the queue like an image."""
        judged, looked = self._with_memory(deciding.profile), []
        ticket = Ticket()
        with self.decoding.ending(ticket):
            work = partial(lay_out, upload, self.judged(deciding.profile), deciding, preview=preview)
            laid = await self.decoding.with_picture(ticket, deciding.reading.apart(), upload, stay, share, work)
        ahead = 2 * self.config.batch_size
        for start in range(0, len(laid.views), ahead):
            views = laid.views[start : start + ahead]
            pixels = await self._in(self._cutters, partial(laid.cut, self.model, views))
            turns = [self.batcher.submit(each, None if judged is None else judged.look) for each in pixels]
            for view, (score, small_map, *nearest) in zip(
                views, await asyncio.gather(*map(asyncio.wrap_future, turns)), strict=True
            ):
                laid.assembly.add(view, score, small_map)
                looked += [Looked(view, one) for one in nearest if one is not None]
        return laid.told, laid.assembly.score, laid.assembly.anomaly_map, looked

    def close(self) -> None:
        """Finish what was submitted; blocks."""
        self.decoding.close()
        self._calibrator.shutdown(wait=True)
        self._cutters.shutdown(wait=True)
        self.batcher.close()
        self._writers.shutdown(wait=True)
        if self.keeper is not None:
            self.keeper.close()

    async def _row(
        self, upload: Upload, deciding: Deciding, wishes: Wishes, provenance: Provenance, stay: Stay
    ) -> dict[str, Any]:
        try:
            with self.decoding.ledger.share(upload.cost) as share:
                image, score, small_map, looked = await self.score(upload, deciding, stay, share, wishes.preview)
                work = partial(finish, upload, image, score, small_map, deciding, wishes, provenance, looked)
                row = await self._in(self._writers, work)
        except Refused:
            raise
        except Exception as error:  # every other failure is this image's alone
            row = failed_row(upload, error, provenance)
        return row

    def _settled(self, upload: Upload, row: dict[str, Any], reading: Reading, provenance: Provenance) -> dict[str, Any]:
        """A row, if its picture's scale agrees with those before it: they were read in any order, this is in theirs."""
        try:
            reading.agree(row["notes"], "image")
        except ImageReadError as error:
            row = failed_row(upload, error, provenance)
        self.metrics.images.labels("failed" if row["error"] else "scored").inc()
        if row["decision"] is not None:
            self.metrics.decisions.labels(row["decision"]).inc()
        return row

    async def one_by_one(self, change: Callable[[], T]) -> T:
        """What changes profiles, one after the other, on a thread of its own."""
        return await self._in(self._calibrator, change)

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
