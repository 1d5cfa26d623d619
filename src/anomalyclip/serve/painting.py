"""What a line will find: faults painted on good pictures that a client sends once more, for the server keeps none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from anomalyclip.calibration.correcting import tested
from anomalyclip.calibration.selftest.chart import summary_of, try_faults
from anomalyclip.io.isolation import Ticket
from anomalyclip.io.names import printable
from anomalyclip.judges.memory.held_out import HeldOut
from anomalyclip.serve.correcting import gatherer_of, seen_of
from anomalyclip.serve.refusals import Refused

if TYPE_CHECKING:
    from anomalyclip.calibration import Profile
    from anomalyclip.calibration.gathering import Good
    from anomalyclip.judges.memory.line import Line
    from anomalyclip.serve.admission import Stay
    from anomalyclip.serve.service import Service
    from anomalyclip.serve.uploads import Upload
    from anomalyclip.serve.work import Deciding

_SHARE = 3  # of the time that a request may take, for painting; the rest is for reading and waiting


async def paint(service: Service, uploads: Sequence[Upload], deciding: Deciding, stay: Stay) -> dict[str, Any]:
    """The profile with its self-test, and its revision; pictures that it does not remember are told as skipped.

    deciding: with the profile.

    Raises Refused (422) for a profile without a memory, and where it remembers none of the pictures by their names.
    """
    assert deciding.profile is not None
    name = deciding.profile.name
    ticket = Ticket()
    read = partial(service.decoding.read, ticket, deciding.reading, most=service.decoding.ledger.most // 2)

    def run() -> dict[str, Any]:
        profile = service.profiles.get(name)
        known, skipped = _known(profile, uploads)
        line = profile.opened().line
        gatherer, items = gatherer_of(service, read, line.source, list(known.values()))
        goods = seen_of(gatherer, items)
        held = [_held(line, number, good) for number, good in zip(known, goods, strict=True)]
        seconds = service.config.limits.work_seconds / _SHARE
        found = summary_of(try_faults(gatherer, line, goods, held, seconds=seconds))
        answer = service.profiles.annotate(name, tested(profile, found))
        return {**answer, "self_test": found.model_dump(mode="json"), "skipped": skipped}

    with service.decoding.ending(ticket), stay.aside():
        most = max(upload.cost for upload in uploads)
        async with service.decoding.ledger.hold(min(service.decoding.ledger.most, 2 * most)):
            return await service.one_by_one(run)


def _known(profile: Profile, uploads: Sequence[Upload]) -> tuple[dict[int, Upload], list[dict[str, str]]]:
    """By the number in the memory of the picture of this name, and what has none. Raises Refused (422)."""
    if profile.memory is None:
        raise Refused("invalid", f"the profile {profile.name!r} has no memory that painted faults could be tried on")
    numbers = {one: number for number, one in reversed(list(enumerate(profile.memory.pictures)))}
    known: dict[int, Upload] = {}
    skipped = []
    for upload in uploads:
        number = numbers.get(upload.name.replace("\\", "/").rpartition("/")[2])
        if number is None or number in known:
            skipped.append({"path": upload.name, "reason": "not remembered by this name, or sent twice"})
        else:
            known[number] = upload
    if not known:
        raise Refused(
            "invalid",
            f"the profile {profile.name!r} remembers no {printable(uploads[0].name)}: send some of its own",
        )
    return known, skipped


def _held(line: Line, number: int, good: Good) -> HeldOut:
    """A picture against the memory without itself."""
    held = HeldOut(good.seen, line.bank, number)
    held.levels = line.levels
    return held
