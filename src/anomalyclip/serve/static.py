"""The web page: files of this package, served as they are."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "page"
_FRESH = {"cache-control": "no-cache"}  # asked again each time, answered 304 while nothing changed


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_FRESH)
        return response


def mount_page(app: FastAPI) -> None:
    """`/` is the page, `/page/...` what it is made of."""

    @app.get("/", include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(FOLDER / "index.html", headers=_FRESH)

    app.mount("/page", _Files(directory=FOLDER), name="page")
