"""The paths that show a watch while it runs."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from anomalyclip.serve import openapi
from anomalyclip.serve.live import Live
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.routes import service_of

live = APIRouter(prefix="/v1/live", tags=["live"])

Evidence = Annotated[str, Path(max_length=255, description="`overlay` of a row.")]


def _live_of(request: Request) -> Live:
    found = service_of(request).live
    if found is None:
        raise Refused("not_found", "this server shows no watch; start it with --live DIR, the --output of a watch")
    return found


@live.get(
    "",
    summary="What a watch finds, as it finds it",
    response_class=Response,
    responses={
        200: {"description": "Server-sent events.", "content": {"text/event-stream": {}}},
        **openapi.refusals("not_found", "busy"),
    },
)
async def events(request: Request) -> Response:
    """An event `row` for each of the last 50 rows of the watch that `--live` names, and for every new one: keys of
    `results.jsonl`, `regions` as their number, `overlay` for the path below."""
    stream = _live_of(request).events()
    first = await anext(stream)

    async def all_of() -> AsyncIterator[bytes]:  # the first is asked for before the status goes out, for refusals
        yield first
        async for event in stream:
            yield event

    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(all_of(), media_type="text/event-stream", headers=headers)


@live.get(
    "/overlays/{name}",
    summary="An anomaly under its heat map",
    response_class=Response,
    responses={
        200: {"description": "A PNG.", "content": {"image/png": {}}},
        **openapi.refusals("not_found", "invalid"),
    },
)
async def overlay(request: Request, name: Evidence) -> Response:
    """As long as the watch keeps it."""
    data = await run_in_threadpool(_live_of(request).overlay, name)
    return Response(data, media_type="image/png", headers={"cache-control": "no-store"})
