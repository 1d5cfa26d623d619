"""The paths of the server. What decides about images lies in `service` and `work`; here is HTTP only."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from anomalyclip.calibration import Profile, provenance_of
from anomalyclip.calibration.writing import as_content
from anomalyclip.detect.pipeline import Rules
from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.reading import Reading
from anomalyclip.serve import openapi
from anomalyclip.serve.admission import ANSWER
from anomalyclip.serve.laying import layout_of
from anomalyclip.serve.made import Aim
from anomalyclip.serve.parsing import profiles_in
from anomalyclip.serve.refusals import Refused, json_answer
from anomalyclip.serve.schemas import (
    NAME_PATTERN,
    CalibrateAnswer,
    CalibrateOptions,
    DetectAnswer,
    DetectOptions,
    ModelEntry,
    ModelsAnswer,
    ProfileFile,
    ProfilesAnswer,
    State,
)
from anomalyclip.serve.service import Service
from anomalyclip.serve.uploads import uploads_of
from anomalyclip.serve.work import Deciding, Wishes, answer_bytes
from anomalyclip.settings.faces import REST

T = TypeVar("T")
_AS_TEXT = 5  # bytes of an answer for each of a memory: base64, JSON, what goes out
Revision = Annotated[int | None, Query(ge=0, description="Of the profile, as `GET /v1/profiles` tells it.")]
ProfileName = Annotated[str, Path(pattern=NAME_PATTERN, examples=["camera-3"])]

v1 = APIRouter(prefix="/v1")
probes = APIRouter()


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


@v1.post(
    "/detect",
    summary="Score images",
    tags=["detect"],
    openapi_extra=openapi.IMAGES,
    responses=openapi.answers(DetectAnswer, "not_found", *openapi.UPLOAD),
)
async def detect(request: Request, options: Annotated[DetectOptions, Query()]) -> Response:
    """Score one or many images: image score, regions and, with a threshold, a decision.

    A file that cannot be read gives a row with `error`, and the others go on. Thresholds are taken from the query,
    else from the profile, else from the server's own options.
    """
    service = service_of(request)
    deciding = _deciding(service, options)
    limits = service.config.limits
    async with uploads_of(request, limits.max_files) as files:
        with service.admission.accepted(len(files)) as stay:
            uploads = await finished(request, service.pictures(files, deciding.reading, options.frames, stay))
            wishes = Wishes(options.maps, options.map_side, limits.max_map_values // len(uploads), options.preview)
            size = answer_bytes(uploads, wishes)
            service.admission.answer(size)
            request.scope[ANSWER] = size  # held until the answer has gone out
            rows = await finished(request, service.detect(uploads, deciding, wishes, stay))
    return await run_in_threadpool(partial(json_answer, {"results": rows}))


@v1.post(
    "/calibrate",
    summary="Make a profile from normal images",
    tags=["profiles"],
    openapi_extra=openapi.IMAGES,
    responses=openapi.answers(CalibrateAnswer, "conflict", *openapi.UPLOAD),
)
async def calibrate(request: Request, options: Annotated[CalibrateOptions, Query()]) -> Response:
    """A memory of images without anomalies, and thresholds with a known false-positive rate.

    Many images come in several requests: `append=true` adds to the profile. `profile` is null while the images are too
    few for the rate; an earlier profile of this name then stays, as `kept`. One that is replaced is told as `replaced`,
    and the last three are kept (`GET /v1/profiles/{name}?revision=`). With `revision`, a profile that another client
    changed meanwhile is left alone (409). What does not count is named in `skipped`. Profiles live as long as the
    server, or its `--keep` folder; `GET /v1/profiles/{name}` gives a file for `--profile` and `POST /v1/profiles`.
    """
    service = service_of(request)
    reading = _asked(service, options)
    aim = Aim(options.rate, options.pixel_rate, options.pixel_rule, options.memory)
    async with uploads_of(request, service.config.limits.max_files) as files:
        with service.admission.accepted(len(files)) as stay:
            uploads = await finished(request, service.pictures(files, reading, options.frames, stay))
            how = {"append": options.append, "revision": options.revision}
            work = service.calibrate(uploads, options.name, aim, reading, stay, **how)
            return json_answer(await finished(request, work))


@v1.get("/profiles", summary="All profiles", tags=["profiles"], responses=openapi.answers(ProfilesAnswer))
async def profiles(request: Request) -> Response:
    """Those the server was started with, and those made since."""
    return json_answer({"profiles": service_of(request).profiles.summaries()})


@v1.get(
    "/profiles/{name}",
    summary="One profile as a file",
    tags=["profiles"],
    responses=openapi.answers(ProfileFile, "not_found", "invalid", "busy"),
)
async def profile(request: Request, name: ProfileName, memory: bool = True, revision: Revision = None) -> Response:
    """A file for `--profile` that carries its memory, too, unless `memory=false`. `revision`: a replaced one."""
    service = service_of(request)
    found = service.profiles.get(name, revision)
    if memory and found.memory is not None:
        size = _AS_TEXT * len(await run_in_threadpool(found.memory_bytes))
        service.admission.answer(size)
        request.scope[ANSWER] = size  # held until the answer has gone out
    return await run_in_threadpool(lambda: json_answer(as_content([found], memories=memory)))


@v1.get(
    "/profiles/{name}/pictures/{number}",
    summary="A good picture that a profile remembers",
    tags=["profiles"],
    response_class=Response,
    responses={
        200: {"description": "A JPEG.", "content": {"image/jpeg": {}}},
        **openapi.refusals("not_found", "invalid"),
    },
)
async def good_picture(request: Request, name: ProfileName, number: Annotated[int, Path(ge=0)]) -> Response:
    """320 pixels at most on its longest side; `number` is that of a region's `nearest`."""
    data = await run_in_threadpool(service_of(request).picture, name, number)
    return Response(data, media_type="image/jpeg", headers={"cache-control": "no-store"})


@v1.post(
    "/profiles",
    summary="Bring back a saved profile",
    tags=["profiles"],
    openapi_extra=openapi.PROFILE,
    responses=openapi.answers(ProfilesAnswer, "conflict", *openapi.UPLOAD),
)
async def bring(request: Request, revision: Revision = None) -> Response:
    """The content of a file that `GET /v1/profiles/{name}` gave, or of `anomalyclip calibrate` without a memory.
    A profile of another model, or a memory that is missing or not its own, is refused. One of the same name is replaced
    and kept as an earlier revision; with `revision` only if nobody changed it since (409).
    """
    service = service_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("media_type", "send the file of a profile as application/json")
    found = await run_in_threadpool(profiles_in, await request.body())
    return json_answer({"profiles": await service.put(found, revision)})


@v1.delete(
    "/profiles/{name}",
    summary="Forget a profile",
    tags=["profiles"],
    status_code=204,
    responses=openapi.refusals("not_found", "invalid", "cross_site"),
)
async def forget(request: Request, name: ProfileName) -> Response:
    """Only profiles that clients made; those of files stay."""
    service_of(request).profiles.remove(name)
    return Response(status_code=204)


@v1.get("/models", summary="What is served", tags=["models"], responses=openapi.answers(ModelsAnswer))
async def models(request: Request) -> Response:
    """The model, its prompts and every setting that decides a score."""
    service = service_of(request)
    given = service.provenance(_deciding(service, DetectOptions()))
    entry = ModelEntry(name=given.model, prompts=given.prompts, settings=dict(given.settings))
    return json_answer(
        ModelsAnswer(models=[entry], live=service.live is not None, kept=service.keeper is not None).model_dump()
    )


@probes.head("/healthz", include_in_schema=False)  # as load balancers ask
@probes.get("/healthz", summary="Is the process alive", tags=["probes"], responses=openapi.plain(State))
async def healthz() -> Response:
    """200 as long as the event loop turns."""
    return json_answer({"status": "ok"})


@probes.head("/readyz", include_in_schema=False)
@probes.get("/readyz", summary="Are new requests welcome", tags=["probes"], responses=openapi.plain(State, 503))
async def readyz(request: Request) -> Response:
    """503 from SIGTERM on, or where the model's thread has ended."""
    service = service_of(request)
    if service.ready:
        return json_answer({"status": "ready"})
    return json_answer({"status": "draining" if service.draining else "failed"}, 503)


@probes.get(
    "/metrics",
    summary="For Prometheus",
    tags=["probes"],
    response_class=Response,
    responses={200: {"description": "Prometheus text format.", "content": {"text/plain": {}}}},
)
async def metrics(request: Request) -> Response:
    """Requests, images, batches, queue, process."""
    return Response(
        generate_latest(service_of(request).metrics.registry), headers={"content-type": CONTENT_TYPE_LATEST}
    )


async def finished(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The outcome of `work`, unless the client leaves or the time is up first: then it is cancelled.

    Raises ClientDisconnect, Refused (503).
    """
    seconds = service_of(request).config.limits.work_seconds
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        if gone.done():
            raise ClientDisconnect
        raise Refused("unavailable", f"the work took longer than {seconds:g} s; send fewer images", retry_after=seconds)
    finally:
        for each in (task, gone):
            each.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _deciding(service: Service, options: DetectOptions) -> Deciding:
    """The query first, then the profile, then the server's own options. Without a profile the pixel threshold follows
    the image threshold, as in `anomalyclip detect`.

    Raises Refused: 404 for an unknown profile, 422 for images that are to be read or laid out otherwise than those of
    the profile, and for a layout that the model does not take.
    """
    config = service.config
    name = _first(options.profile, config.profile)
    profile = None if name is None else service.profiles.get(name)
    calibrated = (None, None) if profile is None else (profile.image_threshold, profile.pixel_threshold)
    threshold = _first(options.threshold, calibrated[0], config.threshold)
    pixel_threshold = _first(options.pixel_threshold, calibrated[1], config.pixel_threshold, threshold)
    rules = Rules(threshold, pixel_threshold, options.min_area or config.min_area)
    try:
        reading = _reading(service, options, profile)
        deciding = Deciding(rules, profile, reading, *layout_of(options))
        if not deciding.plain:
            service.model.check(deciding.geometry)
            if profile is not None:
                profile.check_model(provenance_of(service.model, deciding.geometry, deciding.areas, reading), REST)
    except AnomalyClipError as error:
        raise Refused("invalid", str(error)) from None
    return deciding


def deciding_by(service: Service, name: str) -> Deciding:
    """As a profile decides. Raises Refused (404)."""
    return _deciding(service, DetectOptions.model_validate({"profile": name}))


def _asked(service: Service, options: DetectOptions) -> Reading:
    """What the query says of reading, else the server's own options."""
    own = service.config.reading
    return Reading(
        service.config.limits.max_pixels,
        _first(options.axis, own.axis) or "z",
        own.full_scale if options.full_scale is None else options.full_scale,
    )


def _reading(service: Service, options: DetectOptions, profile: Profile | None) -> Reading:
    if profile is None:
        return _asked(service, options)
    return profile.reading(Reading(service.config.limits.max_pixels, options.axis or "z", options.full_scale))


def _first(*values: T | None) -> T | None:
    return next((value for value in values if value is not None), None)
