"""The paths that change a profile by what people say of results: corrections, their journal, moved thresholds."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anomalyclip.calibration.corrections_journal import as_coco, as_csv
from anomalyclip.serve import correcting, openapi, painting
from anomalyclip.serve.corrections import Wish
from anomalyclip.serve.refusals import Refused, json_answer
from anomalyclip.serve.routes import ProfileName, Revision, deciding_by, finished, service_of
from anomalyclip.serve.schemas import (
    ChangedProfile,
    CorrectAnswer,
    CorrectionsAnswer,
    CorrectOptions,
    SelfTestAnswer,
)
from anomalyclip.serve.uploads import uploads_of

corrections = APIRouter(prefix="/v1/profiles/{name}", tags=["corrections"])

By = Annotated[str, Query(min_length=1, max_length=100, description="Who says so, for the journal.")]
Number = Annotated[int, Path(ge=1, description="Of the correction.")]
Level = Annotated[float, Query(ge=0, le=1)]
_UNKNOWN = "unknown"


@corrections.post(
    "/corrections",
    summary="Say what results are wrong",
    openapi_extra=openapi.IMAGES,
    responses=openapi.answers(CorrectAnswer, "not_found", "conflict", *openapi.UPLOAD),
)
async def correct(request: Request, name: ProfileName, options: Annotated[CorrectOptions, Query()]) -> Response:
    """Send the pictures once more, and what they really are.

    A false alarm joins what the profile remembers, and its score sets the line with the others'; faulty pictures set
    where decisions are made and are never used as normal. Answered by each score before and after, and the number that
    takes it back. A picture that was corrected before is refused (409). A profile that came with the server is
    corrected here alone: its file stays as it is.
    """
    service = service_of(request)
    deciding = deciding_by(service, name)
    region: Any = None if options.region is None else tuple(map(int, options.region.split(",")))
    wish = Wish(options.said, region, options.by or _UNKNOWN, options.min_recall)
    async with uploads_of(request, service.config.limits.max_files) as files:
        with service.admission.accepted(len(files)) as stay:
            uploads = await finished(request, service.pictures(files, deciding.reading, None, stay))
            work = correcting.correct(service, uploads, deciding, wish, options.revision, stay)
            return json_answer(await finished(request, work))


@corrections.get(
    "/corrections",
    summary="The journal of a profile's corrections",
    responses=openapi.answers(CorrectionsAnswer, "not_found", "invalid"),
)
async def journal(request: Request, name: ProfileName, form: Literal["json", "csv", "coco"] = "json") -> Response:
    """Who said what of which picture, when. `form=csv`: all of them, `form=coco`: those in force, as boxes."""
    profiles = service_of(request).profiles
    profile, kept = profiles.get(name), profiles.desk(name).journal
    if form == "json":
        held = set() if profile.corrections is None else set(profile.corrections.numbers)
        told = [{**row, "in_force": row["number"] in held} for row in kept.entries()]
        return json_answer({"entries": told})
    write, kind = (as_csv, "text/csv") if form == "csv" else (as_coco, "application/json")
    text = await run_in_threadpool(partial(write, kept, profile))
    return Response(text.encode("utf-8", "backslashreplace"), media_type=kind)


@corrections.delete(
    "/corrections/{number}",
    summary="Take the last correction back",
    responses=openapi.answers(ChangedProfile, "not_found", "conflict", "cross_site", "invalid"),
)
async def undo(
    request: Request, name: ProfileName, number: Number, by: By = _UNKNOWN, revision: Revision = None
) -> Response:
    """The profile is again what it was before; the last 20 can be taken back, one after the other."""
    service = service_of(request)
    service.profiles.get(name)
    return json_answer(await finished(request, correcting.undo(service, name, number, by, revision)))


@corrections.post(
    "/thresholds",
    summary="Keep thresholds that a person chose",
    responses=openapi.answers(ChangedProfile, "not_found", "conflict", "cross_site", "invalid"),
)
async def move(
    request: Request,
    name: ProfileName,
    threshold: Level,
    pixel_threshold: Level,
    by: By = _UNKNOWN,
    revision: Revision = None,
) -> Response:
    """They take the place of those that the good pictures drew, until a faulty picture is told or it is calibrated
    anew; p-values stay."""
    service = service_of(request)
    service.profiles.get(name)
    if not by.isprintable():
        raise Refused("invalid", "by: a name on one line")
    work = correcting.move(service, name, threshold, pixel_threshold, by, revision)
    return json_answer(await finished(request, work))


@corrections.post(
    "/self-test",
    summary="Paint faults on good pictures, and tell which the line finds",
    openapi_extra=openapi.IMAGES,
    responses=openapi.answers(SelfTestAnswer, "not_found", *openapi.UPLOAD),
)
async def self_test(request: Request, name: ProfileName) -> Response:
    """Send some of the profile's own good pictures once more: the server keeps none.

    Each is left out of the memory while faults are painted on it. The outcome is kept with the profile, until that is
    corrected or made anew. A prognosis, not a promise: painted faults are simpler than real ones.
    """
    service = service_of(request)
    deciding = deciding_by(service, name)
    async with uploads_of(request, service.config.limits.max_files) as files:
        with service.admission.accepted(len(files)) as stay:
            uploads = await finished(request, service.pictures(files, deciding.reading, None, stay))
            return json_answer(await finished(request, painting.paint(service, uploads, deciding, stay)))
