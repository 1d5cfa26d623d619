"""The body of a request -> images still encoded, each with the name it was sent under."""

from __future__ import annotations

import base64
import binascii
import hashlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from anomalyclip.errors import ImageReadError
from anomalyclip.io.frames import frame_path
from anomalyclip.io.isolation import Survey
from anomalyclip.io.names import printable
from anomalyclip.serve.forms import form_of
from anomalyclip.serve.memory import cost_of
from anomalyclip.serve.parsing import parsed
from anomalyclip.serve.refusals import Refused
from anomalyclip.serve.schemas import ImagesBody

FIELD = "files"
_LONGEST_NAME = 4096  # letters, as in JSON: a path below a dropped folder tells pictures apart by its end
_PARTS = 1000  # of JSON that one image may have; names may hold commas


@dataclass(frozen=True)
class Upload:
    """One image of a request.

    name: as the client called it, on one line; never used as a path on this machine. read: gives the bytes, again at
    every call; may block, may raise ImageReadError. size: of them, at most. frame: which picture of a file of several,
    whose name ends in `#frame=n` then. pixels: of it; cost: most bytes that reading and scoring it takes; both are 0
    where its header cannot be read.
    """

    name: str
    read: Callable[[], bytes]
    frame: int | None = None
    pixels: int = 0
    cost: int = 0
    size: int = 0

    def digest(self) -> bytes:
        """BLAKE2b of the file, 16 bytes: names are not unique. Blocks. Raises ImageReadError."""
        return hashlib.blake2b(self.read(), digest_size=16).digest()


def pictures_of(
    uploads: Sequence[Upload], surveys: Sequence[Survey | None], most: int, frames: int | None = None
) -> list[Upload]:
    """Every picture of every upload, `most` in all; of a file with more, a last one whose reading says so.

    surveys: what each file's header says, None of one that cannot be read: reading it will say why, in its row.
    frames: pictures taken of a file of several; None is all.
    """
    found: list[Upload] = []
    for left, upload, said in zip(range(len(uploads) - 1, -1, -1), uploads, surveys, strict=True):
        number = 1 if said is None else said.number
        if said is not None:
            upload = replace(upload, pixels=said.pixels, cost=cost_of(said, upload.size))
        if number == 1:
            found.append(upload)
            continue
        room = max(most - len(found) - left, 1)
        wanted = number if frames is None else min(number, frames)
        taken = wanted if wanted <= room else room - 1
        found += [replace(upload, name=frame_path(upload.name, frame), frame=frame) for frame in range(taken)]
        if taken < wanted:
            found.append(Upload(upload.name, _TooMany(wanted, taken)))
    return found


@dataclass(frozen=True)
class _TooMany:
    number: int
    taken: int

    def __call__(self) -> bytes:
        raise ImageReadError(
            f"image: it holds {self.number:,} pictures, of which this request has room for {self.taken:,}; send it "
            "alone, or its pictures as files of their own"
        )


@asynccontextmanager
async def uploads_of(request: Request, max_files: int) -> AsyncIterator[list[Upload]]:
    """All images of the body, at least one; their bytes are gone when the block ends.

    The middleware counts the bytes and the time; parts of a multipart body beyond a megabyte lie on disk meanwhile.
    Raises Refused for a body of another type, a malformed or an empty one, and for more than `max_files`.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type == "multipart/form-data":
        form = await _form_of(request, max_files)
        try:
            yield _from_form(form)
        finally:
            await form.close()
    elif media_type == "application/json":
        yield await run_in_threadpool(_from_json, await request.body(), max_files)
    else:
        raise Refused(
            "media_type",
            f"the content type is {printable(media_type) or 'missing'}; send multipart/form-data with the field "
            f"'{FIELD}', or application/json",
        )


async def _form_of(request: Request, max_files: int) -> FormData:
    try:
        return await form_of(request, max_files)
    except MultiPartException as error:
        told = error.message
    if told.startswith("Too many fields"):  # than none
        raise Refused(
            "invalid",
            f"the form has a field of text; images are files in '{FIELD}' (curl -F {FIELD}=@part.png), "
            "and settings stand in the address, as /v1/detect?threshold=0.5",
        )
    if told.startswith("Too many f"):
        raise Refused("invalid", _too_many(f"{told.rstrip('.')}", max_files))
    raise Refused("malformed", f"the multipart body cannot be read: {told}")


def _from_form(form: FormData) -> list[Upload]:
    parts = form.multi_items()
    strange = [name for name, value in parts if name != FIELD or not isinstance(value, UploadFile)]
    if strange:
        raise Refused("invalid", f"the field {printable(strange[0])!r} is unknown; images are files in '{FIELD}'")
    files = [value for _, value in parts if isinstance(value, UploadFile)]
    if not files:
        raise Refused("invalid", f"the body holds no file; send at least one in the field '{FIELD}'")
    return [
        Upload(_shown(file.filename, i), _Spooled(file.file), size=file.size or 0) for i, file in enumerate(files, 1)
    ]


def _from_json(body: bytes, max_files: int) -> list[Upload]:
    images = parsed(ImagesBody, body, _PARTS * (max_files + 1), "the JSON body cannot be used").images
    if len(images) > max_files:
        raise Refused("invalid", _too_many(f"{len(images)} images", max_files))
    return [
        Upload(_shown(image.name, i), _Base64(image.data), size=len(image.data)) for i, image in enumerate(images, 1)
    ]


@dataclass(frozen=True)
class _Spooled:
    file: BinaryIO
    lock: threading.Lock = field(default_factory=threading.Lock)  # two pictures of it may be read at once

    def __call__(self) -> bytes:
        with self.lock:
            self.file.seek(0)
            return self.file.read()


@dataclass(frozen=True)
class _Base64:
    text: str

    def __call__(self) -> bytes:
        _, comma, data = self.text.partition(",") if self.text.startswith("data:") else ("", "", self.text)
        if self.text.startswith("data:") and not comma:
            raise ImageReadError("the data URI has no comma; send base64, or data:image/png;base64,...")
        if "\n" in data:  # as `base64` and MIME break it
            data = data.replace("\r", "").replace("\n", "")
        try:
            return base64.b64decode(data, validate=True)
        except (binascii.Error, ValueError) as error:
            raise ImageReadError(f"the data is no base64 ({error}); encode the file's bytes with base64") from error


def _too_many(found: str, max_files: int) -> str:
    return f"{found} in one request, the limit is {max_files}; send the images in several requests"


def _shown(name: str | None, number: int) -> str:
    cleaned = printable((name or "").encode("utf-8", "backslashreplace"))
    return cleaned[:_LONGEST_NAME] or f"image-{number}"
