"""A request that is not carried out: one exception, one shape of answer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

#: kind -> (status, what it is for); the table the OpenAPI description is made of
KINDS: dict[str, tuple[int, str]] = {
    "malformed": (400, "The body is not what its content type says."),
    "unauthorized": (401, "The API key is missing or wrong."),
    "cross_site": (403, "A browser sent this from another site's page, or under a name that is not this server's."),
    "not_found": (404, "There is no such path, model or profile."),
    "method": (405, "The path does not take this method."),
    "too_slow": (408, "The body did not arrive in time."),
    "conflict": (
        409,
        "It contradicts what earlier requests left: another axis or full_scale, or another client changed the profile.",
    ),
    "length_required": (411, "The length of the body cannot be told."),
    "too_large": (413, "The body is larger than the server takes."),
    "media_type": (415, "The body is neither multipart/form-data nor application/json."),
    "invalid": (422, "A field or option has a value outside its range."),
    "busy": (429, "The queue is full; come back after Retry-After seconds."),
    "failed": (500, "The server is at fault."),
    "unavailable": (503, "The work took too long, or the server is going down."),
}
_OF_STATUS = {status: kind for kind, (status, _) in KINDS.items()}


class Refused(Exception):  # noqa: N818 - an answer, not a bug
    """Ends a request with the status of `kind` and one line that says what to do.

    retry_after: seconds, for `busy` and `unavailable`.
    """

    def __init__(self, kind: str, message: str, *, retry_after: float | None = None, **headers: str) -> None:
        super().__init__(message)
        self.kind, self.message = kind, message
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if retry_after is not None:
            self.headers["retry-after"] = str(max(1, math.ceil(retry_after)))

    @property
    def status(self) -> int:
        return KINDS[self.kind][0]

    def answer(self) -> Response:
        return error_answer(self.kind, self.message, self.headers)


def error_answer(kind: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """`{"error": {"kind": ..., "message": ...}}` with the status of `kind`."""
    return json_answer({"error": {"kind": kind, "message": message}}, KINDS[kind][0], headers)


def kind_of(status: int) -> str:
    """The kind of a bare HTTP status, for what the framework itself refuses."""
    return _OF_STATUS.get(status, "failed" if status >= 500 else "malformed")


def json_answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON as UTF-8; lone surrogates of file names become escapes, as in `results.jsonl`."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    data = text.encode("utf-8", "backslashreplace")
    return Response(data, status, dict(headers or {}), "application/json")
