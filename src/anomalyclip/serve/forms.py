"""Multipart bodies as clients send them: cut short they are refused, and names beyond ASCII come whole."""

from __future__ import annotations

import re
from urllib.parse import unquote

from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

_EXTENDED = re.compile(rb"filename\*\s*=\s*(utf-8|iso-8859-1)'[^']*'([^\s;\"']+)", re.IGNORECASE)


async def form_of(request: Request, max_files: int) -> FormData:
    """The form of a request without fields of text; the caller closes it. Raises MultiPartException."""
    return await _Parser(request.headers, request.stream(), max_files=max_files, max_fields=0).parse()


class _Parser(MultiPartParser):
    """Starlette's, which takes a body without its last boundary for a whole one, and leaves out its last file.

    A name given as `filename*` (RFC 5987) is used: forms should not have it (RFC 7578), and .NET's clients write the
    readable name of a file nowhere else. Names are labels here and open nothing.
    """

    _ended = False

    def on_headers_finished(self) -> None:
        part = self._current_part
        if part.content_disposition and (found := _EXTENDED.search(part.content_disposition)):
            name = unquote(found[2].decode("latin-1"), found[1].decode("ascii"), "backslashreplace")
            escaped = name.encode("utf-8", "backslashreplace").replace(b"\\", b"\\\\").replace(b'"', b'\\"')
            part.content_disposition += b'; filename="' + escaped + b'"'  # of two the last counts
        super().on_headers_finished()

    def on_end(self) -> None:
        self._ended = True

    async def parse(self) -> FormData:
        form = await super().parse()
        if not self._ended and (form or self._current_part.content_disposition):
            for file in self._files_to_close_on_error:  # the last is in no form yet
                file.close()
            raise MultiPartException("it ends before its last boundary (was it cut short?)")
        return form
