"""The application: routes, page, and the layers around them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from difflib import get_close_matches
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from anomalyclip.calibration import Profile
from anomalyclip.serve.config import ServeConfig
from anomalyclip.serve.correction_routes import corrections
from anomalyclip.serve.guard import Guard
from anomalyclip.serve.live_routes import live
from anomalyclip.serve.picture_routes import pictures
from anomalyclip.serve.refusals import error_answer, kind_of
from anomalyclip.serve.routes import probes, v1
from anomalyclip.serve.schemas import NAME_PATTERN
from anomalyclip.serve.service import Service
from anomalyclip.serve.static import mount_page
from anomalyclip.settings.reading import BOX
from anomalyclip.version import __version__

_ABOUT = """Find defects in images. Send image files to `POST /v1/detect`; the web page at `/` does so for you.

Rows have the keys of `results.jsonl` as `anomalyclip detect` writes it. Every answer that is no success has the body
`{"error": {"kind": ..., "message": ...}}`."""


#: What patterns ask for, in words.
_FORMS = {
    BOX: "expected X,Y,W,H in whole pixels, such as 10,20,64,48",
    NAME_PATTERN: "expected up to 100 letters, digits and _ . @ + -, such as camera-3",
}


def create_app(model: Any, config: ServeConfig | None = None, profiles: Sequence[Profile] = ()) -> FastAPI:
    """The ASGI application around a loaded `anomalyclip.detect.Detector`, which it owns from here on.

    profiles: of files, ready for use. Raises ConfigError for a profile of another model.
    """
    service = Service(model, config or ServeConfig(), profiles)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(service.close)

    app = FastAPI(
        title="anomalyclip", version=__version__, description=_ABOUT, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.state.service = service
    app.add_middleware(Guard, config=service.config, admission=service.admission, metrics=service.metrics)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.include_router(v1)
    app.include_router(corrections)
    app.include_router(pictures)
    app.include_router(live)
    app.include_router(probes)
    mount_page(app)
    return app


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part != "query")
    if first["type"] == "extra_forbidden":
        close = get_close_matches(where, _options_of(request), n=1)
        meant = f"; did you mean {close[0]}?" if close else "; see /openapi.json for what is taken"
        return error_answer("invalid", f"{where} is no option of this path{meant}")
    if first["type"] == "value_error":  # of our own, which name the option
        return error_answer("invalid", first["msg"].removeprefix("Value error, "))
    told = _FORMS.get(first.get("ctx", {}).get("pattern", ""), first["msg"])
    return error_answer("invalid", f"{where}: {told}; see /openapi.json for what is taken")


def _options_of(request: Request) -> list[str]:
    """Names of the query parameters of the path that was asked."""
    route = request.scope.get("route")
    told = request.app.openapi()["paths"].get(getattr(route, "path", ""), {}).get(request.method.lower(), {})
    return [str(one["name"]) for one in told.get("parameters", ())]


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = kind_of(error.status_code)
    taken = (error.headers or {}).get("Allow", "another method")
    words = {
        "not_found": "there is no such path; see /openapi.json for those there are",
        "method": f"{request.method} is no method of this path, which takes {taken}",
    }
    return error_answer(kind, words.get(kind, error.detail), error.headers)
