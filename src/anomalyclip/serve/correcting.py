"""Corrections through the server: pictures are looked at, then one change at a time is made to the profile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from anomalyclip.calibration.correcting import moved_by_hand
from anomalyclip.calibration.gathering import Gatherer
from anomalyclip.detect.inputs import InputItem
from anomalyclip.geometry import Areas, Geometry
from anomalyclip.io.isolation import Ticket
from anomalyclip.judges.memory.seeing import see
from anomalyclip.serve.corrections import Wish, learn_from
from anomalyclip.serve.made import Taken
from anomalyclip.serve.measuring import Measuring
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.work import Deciding, Wishes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from anomalyclip.calibration.gathering import Good
    from anomalyclip.calibration.measured import Measured
    from anomalyclip.judges.memory.seen import Seen
    from anomalyclip.judges.memory.source import Source
    from anomalyclip.serve.admission import Stay
    from anomalyclip.serve.service import Service
    from anomalyclip.serve.uploads import Upload

_SOURCE = "the server"


async def correct(
    service: Service, uploads: Sequence[Upload], deciding: Deciding, wish: Wish, revision: int | None, stay: Stay
) -> dict[str, Any]:
    """The answer of `POST /v1/profiles/NAME/corrections`; pictures that cannot be read are left out.

    deciding: with the profile to correct. revision: the one that the client has seen, None where it does not care.
    """
    assert deciding.profile is not None
    name = deciding.profile.name
    rows = await service.detect(uploads, deciding, Wishes(), stay)
    usable = [(upload, row) for upload, row in zip(uploads, rows, strict=True) if row["error"] is None]
    skipped = [{"path": row["path"], "reason": row["error"]} for row in rows if row["error"] is not None]
    if not usable:
        raise Refused("invalid", f"nothing was corrected: {skipped[0]['path']}: {skipped[0]['reason']}")
    if wish.region is not None and (len(uploads) > 1 or not _inside(wish.region, usable[0][1])):
        raise Refused("invalid", "region: send one picture, and a box inside it")
    pictures = [upload for upload, _ in usable]
    ticket = Ticket()
    read = partial(service.decoding.read, ticket, deciding.reading, most=service.decoding.ledger.most // 2)
    measuring = Measuring(service.model, service.batcher, service.config.batch_size, deciding.reading, read)

    def run() -> dict[str, Any]:
        service.profiles.check_revision(name, revision)
        profile, desk = service.profiles.get(name), service.profiles.desk(name)
        seen = partial(_seen, service, read, lambda: profile.opened().line.source)
        measured = partial(_measured, measuring)
        outcome = learn_from(profile, desk, wish, pictures, [row for _, row in usable], seen, measured)
        journal = outcome.desk.journal
        record = partial(journal.record, outcome.number, wish.by, _SOURCE, outcome.pictures)
        answer = service.profiles.change(name, outcome.profile, outcome.desk, record)
        service.judged(outcome.profile)  # opened here, not when the next picture waits for it
        told = [dict(vars(one)) for one in outcome.pictures]
        return {**answer, "number": outcome.number, "pictures": told, "skipped": skipped}

    with service.decoding.ending(ticket), stay.aside():
        most = max(upload.cost for upload in pictures)
        async with service.decoding.ledger.hold(min(service.decoding.ledger.most, 2 * most)):
            return await service.one_by_one(run)


async def undo(service: Service, name: str, number: int, by: str, revision: int | None) -> dict[str, Any]:
    """Take the last correction back; the profile is what it was before."""

    def run() -> dict[str, Any]:
        service.profiles.check_revision(name, revision)
        desk = service.profiles.desk(name)
        before = desk.last(service.profiles.get(name), number)
        record = partial(desk.journal.record_undo, number, by)
        return service.profiles.change(name, before, desk.without(number), record)

    return await service.one_by_one(run)


async def move(
    service: Service, name: str, image: float, pixel: float, by: str, revision: int | None
) -> dict[str, Any]:
    """Write thresholds that a person chose into a profile."""

    def run() -> dict[str, Any]:
        service.profiles.check_revision(name, revision)
        moved = moved_by_hand(service.profiles.get(name), image, pixel, by)
        return service.profiles.change(name, moved, service.profiles.desk(name))

    return await service.one_by_one(run)


def _inside(region: Sequence[int], row: dict[str, Any]) -> bool:
    x, y, width, height = region
    return bool(x + width <= row["width"] and y + height <= row["height"])


def _seen(
    service: Service,
    read: Callable[[Upload], Image],
    source_of: Callable[[], Source],
    uploads: Sequence[Upload],
    augment: bool,
) -> list[Good]:
    """What the model sees of each, in order. Raises Refused (422)."""
    return seen_of(*gatherer_of(service, read, source_of(), uploads, augment))


def gatherer_of(
    service: Service, read: Callable[[Upload], Image], source: Source, uploads: Sequence[Upload], augment: bool = False
) -> tuple[Gatherer, list[InputItem]]:
    """What sees uploads, whose passes wait in the server's queue; and each of them as an item, in order."""

    def look(pixels: NDArray[Any]) -> list[Seen]:
        by_source = partial(see, service.model.encoder, service.model.judge, source)
        return [future.result() for future in [service.batcher.submit(one, by_source) for one in pixels]]

    contents = {place.to_bytes(4, "big"): upload for place, upload in enumerate(uploads)}
    items = [InputItem(upload.name, upload.name, key) for key, upload in contents.items()]

    def one(item: InputItem) -> Image:
        return read(contents[item.key])

    return Gatherer(service.model, source, Geometry(), Areas(), one, look=look, augment=augment), items


def seen_of(gatherer: Gatherer, items: Sequence[InputItem]) -> list[Good]:
    """Of all of them. Raises Refused (422) where one cannot be seen."""
    found = gatherer.gather(items)
    if found.skipped:
        raise Refused("invalid", "nothing was changed: {}: {}".format(*found.skipped[0]))
    return found.pictures


def _measured(measuring: Measuring, uploads: Sequence[Upload]) -> Measured:
    taken = Taken(measuring.reading)
    taken.measured.skipped.extend(measuring.take(taken, uploads))
    return taken.measured
