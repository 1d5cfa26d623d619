"""A JSON body as one of our models: bounded before it is parsed, refused with its first fault alone.

Three bytes of JSON become an object of a hundred, and a fault in each of them another: 3 MB of `{},` took a gigabyte,
and held the interpreter for six seconds. So parts are counted first, which costs next to nothing, and bodies are parsed
one at a time: the interpreter would do no more at once, and what the many take together is bounded.
"""

from __future__ import annotations

import codecs
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from anomalyclip.calibration.files import from_content
from anomalyclip.calibration.profile import Profile
from anomalyclip.errors import AnomalyClipError, InputError
from anomalyclip.io.json_objects import loads_once
from anomalyclip.serve.refusals import Refused

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")
MOST_OF_PROFILES = 400_000
"""Parts of saved profiles: two numbers of each good picture, of 200,000 of them."""
_SIGNS = (b"{", b"[", b",", b":")
_turn = threading.Lock()


def parsed(model: type[M], body: bytes, most: int, what: str) -> M:
    """most: objects, lists, members and elements together. what: names the body. Raises Refused (400, 422). Blocks."""
    body = body.removeprefix(codecs.BOM_UTF8)
    return _bounded(lambda: model.model_validate(_read(body, what)), body, most, what)


def profiles_in(body: bytes) -> list[Profile]:
    """What `POST /v1/profiles` takes. Raises Refused (400, 422). Blocks."""
    return _bounded(lambda: from_content(body, "the profile"), body, MOST_OF_PROFILES, "the profile")


def _read(body: bytes, what: str) -> Any:
    """Not by pydantic: of two keys of one name, also of one written with escapes, it would take the last."""
    try:
        return loads_once(body)
    except InputError as error:
        raise InputError(f"{what}: {error}") from error
    except RecursionError as error:
        raise InputError(f"{what}: it is nested too deeply") from error
    except ValueError as error:
        raise InputError(f"{what}: it is no JSON ({error})") from error


def _bounded(read: Callable[[], T], body: bytes, most: int, what: str) -> T:
    if body[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) or b"\0" in body[:4]:
        raise Refused("malformed", f"{what}: it is UTF-16 or UTF-32; send JSON as UTF-8")
    parts = sum(map(body.count, _SIGNS))
    if parts > most:
        raise Refused("invalid", f"{what}: {parts:,} parts of JSON are more than its use has ({most:,})")
    with _turn:
        try:
            return read()
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            kind = "invalid"
            reason = f"{what}: {'.'.join(map(str, first['loc'])) or 'the body'}: {first['msg']}"
        except AnomalyClipError as error:
            kind, reason = "malformed", str(error)
    raise Refused(kind, reason)  # outside, so that no exception holds the others' faults
