"""What FastAPI cannot infer: bodies of two types, and every refusal with its shape."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from anomalyclip.serve.refusals import KINDS
from anomalyclip.serve.schemas import PIXEL, ErrorAnswer, ImagesBody, ProfileFile

#: Refusals that a path with uploads may answer with, besides those of every path below /v1.
UPLOAD = ("malformed", "cross_site", "too_slow", "too_large", "media_type", "invalid", "busy", "failed", "unavailable")

_FORM = {
    "type": "object",
    "properties": {
        "files": {
            "type": "array",
            "items": {"type": "string", "format": "binary"},
            "minItems": 1,
            "description": "Image files: JPEG, PNG, TIFF, BMP, WebP, GIF or DICOM.",
        }
    },
    "required": ["files"],
    "additionalProperties": False,
}


def _images_body() -> dict[str, Any]:
    schema = ImagesBody.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs")
    schema["properties"]["images"]["items"] = parts["EncodedImage"]
    return schema


IMAGES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": _FORM},
            "application/json": {
                "schema": _images_body(),
                "example": {"images": [{"name": "part-0001.png", "data": PIXEL}]},
            },
        },
    }
}


PROFILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": ProfileFile.model_json_schema()}},
    }
}


def answers(model: type[BaseModel], *kinds: str) -> dict[int | str, dict[str, Any]]:
    """The responses of a path below /v1: its own, the missing key, and the refusals of `kinds`."""
    return {200: {"model": model}, **refusals(*kinds)}


def refusals(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """The answers of a path below /v1 that are no success."""
    described: dict[int | str, dict[str, Any]] = {}
    for kind in ("unauthorized", *kinds):
        status, what = KINDS[kind]
        described[status] = {"model": ErrorAnswer, "description": what}
        if kind in ("busy", "unavailable"):
            described[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}
            }
    return described


def plain(model: type[BaseModel], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """The responses of a path outside /v1."""
    return {status: {"model": model} for status in (200, *statuses)}
