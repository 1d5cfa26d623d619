"""The paths that give what people look at: a part of a picture at its own pixels, a report of many."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from anomalyclip.errors import AnomalyClipError
from anomalyclip.io.isolation import Ticket
from anomalyclip.serve import openapi
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.reporting import ReportBody, report_of
from anomalyclip.serve.routes import deciding_by, finished, service_of
from anomalyclip.serve.schemas import NAME_PATTERN
from anomalyclip.serve.uploads import uploads_of
from anomalyclip.serve.work import Deciding
from anomalyclip.settings.reading import BOX

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL.Image import Image

    from anomalyclip.serve.admission import Stay
    from anomalyclip.serve.service import Service
    from anomalyclip.serve.uploads import Upload

pictures = APIRouter(prefix="/v1", tags=["pictures"])

_QUALITY = 95
Box = Annotated[str, Query(pattern=BOX, description="X,Y,W,H in pixels of the upright picture.", examples=["0,0,1,1"])]
Side = Annotated[int, Query(ge=1, le=4096, description="Longest side of what comes back, in pixels.")]
Frame = Annotated[int | None, Query(ge=0, le=10**6, description="Which picture of a file of several, from 0.")]
By = Annotated[str | None, Query(pattern=NAME_PATTERN, description="A profile: pictures are read as it reads them.")]


@pictures.post(
    "/part",
    summary="A part of a picture at its own pixels",
    openapi_extra=openapi.IMAGES,
    response_class=Response,
    responses={
        200: {"description": "A JPEG.", "content": {"image/jpeg": {}}},
        **openapi.refusals("not_found", *openapi.UPLOAD),
    },
)
async def part(request: Request, box: Box, side: Side = 2048, frame: Frame = None, profile: By = None) -> Response:
    """For looking closely at a large picture, or at one that a browser cannot read. Send one file."""
    service = service_of(request)
    deciding = Deciding.plainly(service.config.reading) if profile is None else deciding_by(service, profile)
    wanted = tuple(map(int, box.split(",")))
    async with uploads_of(request, 1) as files:
        with service.admission.accepted(len(files)) as stay:
            (first,) = await finished(request, service.pictures(files, deciding.reading, 1, stay))
            if first.frame is None and frame:
                raise Refused("invalid", f"frame {frame}: the file holds one picture, 0")
            chosen = replace(first, frame=frame or 0) if first.frame is not None else first
            data = await finished(request, _cut(service, chosen, deciding, (*wanted,), side, stay))
    return Response(data, media_type="image/jpeg")


async def _cut(
    service: Service, upload: Upload, deciding: Deciding, box: tuple[int, ...], side: int, stay: Stay
) -> bytes:
    ticket = Ticket()

    def cut(read: Callable[[Upload], Image]) -> bytes:
        image = read(upload)
        x, y, width, height = box
        if x >= image.width or y >= image.height:
            raise Refused("invalid", f"box: the picture has {image.width} x {image.height} pixels")
        found = image.crop((x, y, min(image.width, x + width), min(image.height, y + height)))
        found.thumbnail((side, side))
        buffer = io.BytesIO()
        found.save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
        return buffer.getvalue()

    with service.decoding.ending(ticket):
        try:
            with service.decoding.ledger.share(upload.cost) as share:
                return await service.decoding.with_picture(ticket, deciding.reading, upload, stay, share, cut)
        except AnomalyClipError as error:
            raise Refused("invalid", str(error)) from error


@pictures.post(
    "/report",
    summary="report.html of rows",
    openapi_extra={
        "requestBody": {"required": True, "content": {"application/json": {"schema": ReportBody.model_json_schema()}}}
    },
    response_class=Response,
    responses={
        200: {"description": "One self-contained page.", "content": {"text/html": {}}},
        **openapi.refusals(*openapi.UPLOAD),
    },
)
async def report(request: Request) -> Response:
    """The page that `anomalyclip detect --output` writes, of rows and small pictures that a client sends back."""
    service = service_of(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused("media_type", "send the rows as application/json")
    body = await request.body()
    served = service.provenance(Deciding.plainly(service.config.reading))
    data = await finished(request, run_in_threadpool(partial(report_of, body, served)))
    # A document of its own to look at; in this origin it would be the page's.
    headers = {"content-disposition": 'attachment; filename="report.html"', "content-security-policy": "sandbox"}
    return Response(data, media_type="text/html", headers=headers)
