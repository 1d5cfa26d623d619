"""The web page: files of this package, served as they are."""

from __future__ import annotations

import json
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

FOLDER = Path(__file__).parent / "page"
LANGUAGES = FOLDER / "languages"
_FRESH = {"cache-control": "no-cache"}  # asked again each time, answered 304 while nothing changed


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(_FRESH)
        return response


def languages() -> list[dict[str, str]]:
    """Those beside English: `code` is the file's name, `name` what the file says under "English"."""
    files = sorted(LANGUAGES.glob("*.json"))
    return [{"code": file.stem, "name": json.loads(file.read_text("utf-8"))["English"]} for file in files]


def mount_page(app: FastAPI) -> None:
    """`/` is the page, `/page/...` what it is made of, `/languages` which it speaks; `/docs` shows
    the OpenAPI description by Swagger UI, from the package fastapi-swagger."""
    known = languages()

    @app.api_route("/", methods=["GET", "HEAD"], include_in_schema=False)
    async def index() -> FileResponse:
        return FileResponse(FOLDER / "index.html", headers=_FRESH)

    @app.get("/languages", include_in_schema=False)
    async def spoken() -> JSONResponse:
        return JSONResponse(known, headers=_FRESH)

    @app.api_route("/docs", methods=["GET", "HEAD"], include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(FOLDER / "docs.html", headers=_FRESH)

    app.mount("/page", _Files(directory=FOLDER), name="page")
    app.mount("/swagger", _Files(packages=[("fastapi_swagger", "resources")]), name="swagger")
